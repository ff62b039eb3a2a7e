"""The `promotion:` section: where versions of policies are kept, and what a candidate must show."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pointsman.config.settings import Settings, empty_if_null
from pointsman.config.values import Number, Share, wrong

_SLICE_FIELDS = ("task", "tenant", "domain", "complexity", "structure")


class ProtectedSettings(Settings):
    """A slice of requests that a candidate must serve no worse than a floor."""

    min_quality: Share = Field(description="a quality in [0, 1]", examples=[0.85])
    task: str | None = Field(default=None, min_length=1, description="a task's name", examples=["invoices"])
    tenant: str | None = Field(default=None, min_length=1, description="a tenant's name", examples=["acme"])
    domain: Literal["code", "math", "legal", "medical", "finance", "science", "general"] | None = Field(
        default=None, description="a domain", examples=["legal"]
    )
    complexity: Literal["lookup", "generation", "reasoning"] | None = Field(
        default=None, description="a complexity", examples=["reasoning"]
    )
    structure: Literal["text", "json", "sql", "code", "label"] | None = Field(
        default=None, description="a structure", examples=["json"]
    )

    @property
    def labels(self) -> dict[str, str]:
        """What a request of the slice says, by column of the decision log; empty: every request is of it."""
        return {name: value for name in _SLICE_FIELDS if (value := getattr(self, name)) is not None}


class PromotionSettings(Settings):
    """Settings of promotion; with the section the versions of a folder go over the config's policies."""

    path: str = Field(
        default="pointsman-policies",
        min_length=1,
        description="a folder that can be written",
        examples=["pointsman-policies"],
    )
    margin: Annotated[Number, Field(ge=0, lt=1)] = Field(
        default=0.01, description="a difference of quality in [0, 1)", examples=[0.01]
    )
    alpha: Annotated[Number, Field(gt=0, lt=0.5)] = Field(
        default=0.05, description="a probability above 0 and below 0.5", examples=[0.05]
    )
    quality_value_usd: Annotated[Number, Field(gt=0, le=1e9)] | None = Field(
        default=None, description="a value up to 1e9 in US dollars a unit of quality", examples=[0.02]
    )
    protect: tuple[ProtectedSettings, ...] = Field(
        default=(),
        description="a list of slices with floors",
        examples=["[{domain: legal, min_quality: 0.85}]"],
    )

    @model_validator(mode="after")
    def _slices_differ(self) -> Self:
        for index, one in enumerate(self.protect):
            if any(one.labels == other.labels for other in self.protect[:index]):
                raise wrong("protects a slice twice; keep one of its floors")
        return self


PromotionSection = Annotated[PromotionSettings | None, BeforeValidator(empty_if_null)]
