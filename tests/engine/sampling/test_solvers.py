# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules and steps against the original solvers, on a linear velocity field."""

from fractions import Fraction
from itertools import pairwise

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


@pytest.mark.parametrize("solver", ["euler", "lcm"])
def test_the_four_noise_levels_of_the_distilled_models(solver):
    """Both of their makers' schedules: four equal steps from 1000 to 0 (`fm_solvers_euler.py`), and the entries 1000,
    750, 500 and 250 of a table of a thousand (`step_distill/scheduler.py`), each shifted by 5; here as fractions."""
    quarters = [Fraction(1), Fraction(3, 4), Fraction(1, 2), Fraction(1, 4), Fraction(0)]
    listed = [Fraction(entry, 1000) for entry in (1000, 750, 500, 250)]
    assert quarters[:4] == listed
    sigmas = torch.tensor([float(5 * q / (1 + 4 * q)) for q in quarters])
    run = make_solver(solver, 4, 5.0)
    golden.assert_close(run.sigmas, sigmas, 1e-7, 0, "sigmas")
    golden.assert_close(run.timesteps, 1000 * sigmas[:4], 1e-4, 0, "timesteps")


def test_lcm_puts_each_clean_clip_under_fresh_noise():
    """x' = (1 - s') (x - s v) + s' n, the last one without noise."""
    torch.manual_seed(0)
    x, velocities, noises = torch.randn(2, 3), torch.randn(4, 2, 3), torch.randn(3, 2, 3)
    run = make_solver("lcm", 4, 5.0, fresh=noises.__getitem__)
    want = x
    for k, (now, then) in enumerate(pairwise([1, 15 / 16, 5 / 6, 5 / 8, 0])):
        want = (1 - then) * (want - now * velocities[k]) + (then * noises[k] if then else 0)
        x = run.step(velocities[k], x)
        golden.assert_close(x, want, 1e-6, 1e-6, f"step {k}")
    with pytest.raises(ValueError, match="fresh noise"):
        make_solver("lcm", 4, 5.0).step(velocities[0], x)


@pytest.mark.parametrize("solver", ["unipc", "dpm++", "euler", "flow"])  # lcm walks no path
def test_constant_velocity_is_followed_exactly(solver):
    """Along x = data + sigma * (noise - data) every solver must land on the data."""
    run = make_solver(solver, 7, 5.0)
    noise, data = torch.randn(2, 3, 4, dtype=torch.float32, generator=torch.Generator().manual_seed(1))
    x = data + run.sigmas[0] * (noise - data)
    for _ in run.timesteps:
        x = run.step(noise - data, x)
    torch.testing.assert_close(x, data, atol=1e-5, rtol=0)
