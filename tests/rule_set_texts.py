"""Rule sets of offices for tests, as somebody would type them."""


def annex(
    identifier: str = "par.h44",
    *,
    first: str | None = "2026-01-01",
    last: str | None = None,
    floor: str = "0.95",
    provenance: str = "official",
    more: str = "",
) -> str:
    """Return a small set of two lines: one counted, one declared."""
    until = "" if last is None else f", to: {last}"
    valid = "" if first is None else f"valid: {{from: {first}{until}}}\n"
    return f"""\
schema: dunghan-score/1
id: {identifier}
title: {{vi: "Phụ lục của tỉnh", en: "Annex of the province"}}
provenance: {provenance}
basis: [{{doc: 100/QĐ-UBND}}]
{valid}inputs:
  resolved_in_time: "measure:on_time_of_finished@1.numerator"
  resolved: "measure:on_time_of_finished@1.denominator"
  not_published: declared
subject: {{level: [province, commune], period: [month, quarter, year]}}
numbers: {{leaf: {{dp: 2, round: half_up}}, node: sum_of_rounded_leaves}}
root:
  id: tthc
  max: 2
  children:
    - id: on_time
      max: 1
      linear: {{num: resolved_in_time, den: resolved, floor: {floor}, below: 0}}
      zero_den: zero
    - id: published
      max: 1
      deduct: {{start: 1, items: [{{count: not_published, each: 0.1}}], min: 0}}
classify:
  of: total
  bands: [{{ge: 1.5, label: Tốt}}, {{ge: 0, label: Chưa tốt}}]
rank: {{by: total, within: [level, parent, period], method: competition}}
{more}"""
