"""The `signals:` section: what is looked at in answers, and what models learn from it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pointsman.config.settings import Settings, empty_if_null
from pointsman.config.values import Number, Share, wrong
from pointsman.types import Domain, Structure

SignalName = Literal[
    "empty",
    "json",
    "json_schema",
    "tool_arguments",
    "code",
    "truncation",
    "refusal",
    "repetition",
    "language",
    "token_probability",
    "retry",
    "judge",
]
_NAMES = "a list of signals"
_RATE = "a share between 0 and 1"
Rate = Annotated[Number, Field(gt=0, lt=1)]
# With less between the rates a certificate would take tens of thousands of verdicts; chosen.
_LEAST_GAP = 0.1


class JudgeSettings(Settings):
    """A model that grades answers, and how often it is known to be right."""

    model: str = Field(description="the name of a model under `models`", examples=["gpt-4o-mini"])
    rate: Share = Field(default=0.05, description="a share of answers in [0, 1]", examples=[0.05])
    tpr: Rate = Field(default=0.9, description=_RATE, examples=[0.9])
    fpr: Rate = Field(default=0.25, description=_RATE, examples=[0.25])

    @model_validator(mode="after")
    def _tells_good_from_bad(self) -> JudgeSettings:
        if self.fpr >= self.tpr:
            raise wrong(
                f"passes bad answers (fpr {self.fpr:g}) as often as good ones (tpr {self.tpr:g}); measure "
                "both on graded answers, or choose another judge"
            )
        return self


class SignalSliceSettings(Settings):
    """What runs besides, or not, for requests of a task, structure and domain; later entries win."""

    task: str | None = Field(default=None, min_length=1, description="a task's name", examples=["support"])
    structure: Structure | None = Field(default=None, description="a structure", examples=["json"])
    domain: Domain | None = Field(default=None, description="a domain", examples=["code"])
    add: tuple[SignalName, ...] = Field(default=(), description=_NAMES, examples=["[language]"])
    drop: tuple[SignalName, ...] = Field(default=(), description=_NAMES, examples=["[refusal]"])


class VerdictSettings(Settings):
    """Who says whether an answer is good, for requests of a task, structure and domain; later entries win.

    A share of the requests is drawn at random before there is an answer, and graded: that certifies floors.
    """

    task: str | None = Field(default=None, min_length=1, description="a task's name", examples=["support"])
    structure: Structure | None = Field(default=None, description="a structure", examples=["json"])
    domain: Domain | None = Field(default=None, description="a domain", examples=["code"])
    grader: Literal["empty", "json", "json_schema", "tool_arguments", "code", "judge", "feedback"] = Field(
        description="a grader", examples=["json_schema"]
    )
    audit_share: Annotated[Number, Field(ge=1e-4, le=1)] = Field(
        description="a share of requests in [0.0001, 1]", examples=[0.1]
    )
    name: str = Field(
        default="feedback", min_length=1, description="the name feedback is given by", examples=["tests"]
    )
    wait_s: Annotated[Number, Field(gt=0, le=2_592_000)] = Field(
        default=86_400.0, description="a number of seconds above 0, at most 2,592,000", examples=[86400]
    )

    @model_validator(mode="after")
    def _names_feedback_alone(self) -> VerdictSettings:
        given = sorted({"name", "wait_s"} & self.model_fields_set)
        if self.grader != "feedback" and given:
            raise wrong(f"has `{given[0]}`, which only `grader: feedback` takes; drop it")
        return self


class SignalSettings(Settings):
    """Settings of signals; a config without the section looks at no answer."""

    add: tuple[SignalName, ...] = Field(default=(), description=_NAMES, examples=["[language]"])
    drop: tuple[SignalName, ...] = Field(default=(), description=_NAMES, examples=["[refusal]"])
    slices: tuple[SignalSliceSettings, ...] = Field(
        default=(), description="a list of slices", examples=["[{structure: json, add: [judge]}]"]
    )
    verdicts: tuple[VerdictSettings, ...] = Field(
        default=(),
        description="a list of graders whose word counts for quality floors",
        examples=["[{task: extraction, grader: json_schema, audit_share: 0.1}]"],
    )
    judge: JudgeSettings | None = Field(
        default=None, description="a mapping of a judge", examples=["{model: gpt-4o-mini, rate: 0.05}"]
    )
    retry_window_s: Annotated[Number, Field(ge=0, le=86_400)] = Field(
        default=120.0, description="a number of seconds from 0 (off) to 86,400", examples=[120]
    )

    @model_validator(mode="after")
    def _has_the_judge_it_adds(self) -> SignalSettings:
        is_added = "judge" in self.add or any("judge" in each.add for each in self.slices)
        if is_added and self.judge is None:
            raise wrong("adds `judge` but names none; add `judge: {model: ...}`")
        return self

    @model_validator(mode="after")
    def _knows_the_judge_it_believes(self) -> SignalSettings:
        if not any(one.grader == "judge" for one in self.verdicts):
            return self
        judge = self.judge
        if judge is None or not {"tpr", "fpr"} <= judge.model_fields_set:
            raise wrong(
                "lets a judge certify floors without its measured `tpr` and `fpr`; grade some of its "
                "verdicts by hand, and add `judge: {model: ..., tpr: ..., fpr: ...}`"
            )
        if judge.tpr - judge.fpr < _LEAST_GAP:
            raise wrong(
                f"lets a judge certify floors that hardly tells good from bad (tpr {judge.tpr:g}, fpr "
                f"{judge.fpr:g}); choose another"
            )
        return self

    def verdict_of(self, task: str | None, structure: str, domain: str) -> VerdictSettings | None:
        """Who grades requests of a slice; `None`: nobody."""
        for each in reversed(self.verdicts):
            wanted = ((each.task, task), (each.structure, structure), (each.domain, domain))
            if all(value is None or value == seen for value, seen in wanted):
                return each
        return None


SignalSection = Annotated[SignalSettings | None, BeforeValidator(empty_if_null)]
