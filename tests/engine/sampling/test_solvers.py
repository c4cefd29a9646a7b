# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules and steps against the original solvers, on a linear velocity field."""

import golden
import pytest
import torch

from wan_engine.sampling.solvers import make_solver


@pytest.mark.parametrize("shift", [1, 3, 5, 8, 12])
@pytest.mark.parametrize("solver", ["unipc", "dpm++"])
def test_original_steps(solver, shift):
    case = golden.tensors("sched_" + solver.replace("+", "p"))
    for steps in (1, 2, 3, 4, 5, 10, 15, 20, 40, 50):
        key = f"out.shift{shift}.steps{steps}"
        run, x, states = make_solver(solver, steps, shift), case["in.x"], []
        for t in run.timesteps:
            velocity = case["in.A"] * x + case["in.B"] * (float(t) / 1000) + case["in.C"]
            x = run.step(velocity, x)
            states.append(x[0])
        assert torch.equal(run.timesteps, case[f"{key}.timesteps"]), key
        golden.assert_close(run.sigmas, case[f"{key}.sigmas"], 1e-6, 0, key)
        golden.assert_close(torch.stack(states), case[f"{key}.x"], 5e-6, 5e-6, key)


@pytest.mark.parametrize(("steps", "shift"), [(4, 5), (8, 5), (50, 5), (10, 3)])
def test_the_schedule_of_the_fun_models(steps, shift):
    """The low end is shifted twice, which euler's is not; timesteps are not cut to whole ones."""
    case, key = golden.tensors("control/sched_flow"), f"n{steps}_s{shift}"
    run, x, states = make_solver("flow", steps, shift), case[f"in.{key}.x"], []
    for _ in run.timesteps:
        x = run.step(case[f"in.{key}.A"] @ x, x)
        states.append(x)
    golden.assert_close(run.sigmas, case[f"out.{key}.sigmas"], 1e-6, 1e-5, key)
    golden.assert_close(run.timesteps, case[f"out.{key}.timesteps"], 1e-3, 1e-5, key)
    golden.assert_close(torch.stack(states), case[f"out.{key}.xs"], 1e-6, 1e-5, key)


@pytest.mark.parametrize("highest", [0.6, 0.05, 0.02])
def test_flow_from_a_partly_noised_clip_only_goes_down(highest):
    sigmas = make_solver("flow", 4, 5.0, highest).sigmas
    assert sigmas[0] == pytest.approx(highest) and sigmas[-1] == 0 and (sigmas.diff() <= 0).all()


def test_four_euler_steps_of_the_distilled_models():
    run = make_solver("euler", 4, 5.0)
    torch.testing.assert_close(run.timesteps, torch.tensor([1000, 937.5, 2500 / 3, 625]))


@pytest.mark.parametrize("solver", ["unipc", "dpm++", "euler", "flow"])
def test_constant_velocity_is_followed_exactly(solver):
    """Along x = data + sigma * (noise - data) every solver must land on the data."""
    run = make_solver(solver, 7, 5.0)
    noise, data = torch.randn(2, 3, 4, dtype=torch.float32, generator=torch.Generator().manual_seed(1))
    x = data + run.sigmas[0] * (noise - data)
    for _ in run.timesteps:
        x = run.step(noise - data, x)
    torch.testing.assert_close(x, data, atol=1e-5, rtol=0)
