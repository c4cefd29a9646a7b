# SPDX-License-Identifier: GPL-3.0-or-later
"""What any prompt must keep to: rules of grammar and repetition, checked on its text."""

import re
from itertools import pairwise

SMALL = r"(?:to|from|of|in|on|at|by|with|for|around|toward|behind|the|a|an|and|is|it|then)"
SINGULAR_VERBS = "moves|turns|changes|glows|lights|brightens|draws"
NUMBERS = r"(?:two|three|four|five|several)"
END = "(?=[,.]| and | on | in | across | move)"
MEASURES = "个座面扇段根棵丛朵片块张把盏辆列艘架枚只头匹条道顶台本瓶支幅件级堆群间层门束位名家颗副份排对摞"
NO_S = "move|turn|change|people|men|women|children|tori|feet|geese|mice|sheep|fish|deer|cacti|leaves|of the"


def sentences(text, stop="."):
    return [part for part in re.split(rf"(?<=[{stop}])\s*", text) if part]


def shadows_told_again(clauses):
    """Where shadows fall, told as it was told last."""
    return [f"shadows told again: {one}" for one, after in pairwise(clauses) if one == after]


def english_faults(text):
    """What a reader of English would stumble over."""
    faults = []
    told = sentences(text)
    faults += [f"said twice: {one}" for one in {one for one in told if told.count(one) > 1}]
    faults += [f"no sentence: {one}" for one in told if not re.match(r'[A-Z"]', one) or not one.endswith(".")]
    faults += shadows_told_again(
        re.findall(r"(?:(?:very |long |short )+shadows|shadows of medium length) fall [^.,]*", text.lower())
    )
    bad = {
        "doubled word": rf"(?i)\b({SMALL}) \1\b",
        "two prepositions": r"\b(?:toward|from|behind) (?:to|toward|from|at|in|on|around)\b",
        "around twice": r"around[^.]*around",
        "a for an": r"\b[Aa] (?=[aeiou])(?!uni|use|one|eu|u[bkr])",
        "an for a": r"\b[Aa]n (?=[^aeiou\W])(?!hour|heir|honest|hono|[A-Z]|led|suv)",
        "article before several": rf"\b[Aa]n? (?:{NUMBERS}|people|stairs|windows|trees|men)\b",
        "one thing does as several": rf"\bThe (?:\w+ )?(?!gas|lens|bus|glass|canvas)\w+[^s\Wu]s (?:{SINGULAR_VERBS})\b",
        "several without a plural": rf"\b{NUMBERS} (?:(?!(?:and|on|in|across)\b)[a-z]+ )*?(?!{NO_S})[a-z]*[^s\W]{END}",
        "space": r"  | [.,]",
        "stop": r"\.\.|,\.|,,",
        "verb after and": r"and is handheld",
        "on their places": r"on their places",
        "empty": r"None|\{|\}|_",
    }  # fmt: skip
    faults += [f"{name}: {match[0]!r} in {text}" for name, rule in bad.items() if (match := re.search(rule, text))]
    if re.match(r"Night time\b", text) and re.search(r"\b(?:daylight|sunny lighting)\b", text.split(".")[0]):
        faults.append("daylight at night")
    return faults


def chinese_faults(text):
    """What a reader of Chinese would stumble over."""
    faults = []
    told = sentences(text, "。")
    faults += [f"said twice: {one}" for one in {one for one in told if told.count(one) > 1}]
    faults += [f"no sentence: {one}" for one in told if not one.endswith("。")]
    faults += shadows_told_again(re.findall(r"[^，。]*影子(?:投向|落在)[^，。]*", text))
    bare = re.sub(r"（[^（）]*）", "", text)
    bad = {
        "foreign letters": r"[A-Za-z]",
        "foreign stops": r"[,.;:?!()]",
        "a bare 里有": r"(?<!画面)里(?:还)?有",
        "doubled": r"的的|在在|，，|。。|，。|、、|、。|和和",
        "同时 twice": r"同时[^。]*同时",
        "no measure word": rf"[有、和][一两三四五](?![{MEASURES}])",
        "people that are old things": r"旧(?:男人|女人|人|孩子)",
        "empty": r"None|\{|\}|_",
    }
    faults += [f"{name}: {match[0]!r} in {text}" for name, rule in bad.items() if (match := re.search(rule, bare))]
    if text.startswith("夜晚，") and re.search("日光|晴天光", text.split("。")[0]):
        faults.append("daylight at night")
    return faults
