"""The `learning:` section: where what was learned is kept beyond the process."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from pointsman.config.settings import Settings, empty_if_null
from pointsman.config.values import Number


class LearningSettings(Settings):
    """Settings of learned state. Without `state` it is kept in the store, if there is one, else nowhere."""

    state: str | None = Field(
        default=None, min_length=1, description="a file that can be written", examples=["learned.state"]
    )
    save_every_s: Annotated[Number, Field(ge=0.1, le=86_400)] = Field(
        default=60.0, description="a number of seconds from 0.1 to 86,400", examples=[60]
    )


LearningSection = Annotated[LearningSettings, BeforeValidator(empty_if_null)]
