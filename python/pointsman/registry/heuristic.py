"""A quality prior where nobody gave one: what the market charges for the model.

Price says little, but more than nothing, and it is what is known of a model nobody measured. The prior is
marked `price_heuristic` wherever it is shown, so that nobody takes it for a measurement.
"""

from __future__ import annotations

import math

from pointsman.types import NANO_USD_PER_USD

# Input tokens per output token in the blended price; the ratio that published price comparisons use.
_INPUT_WEIGHT = 3

# Ends of the scale: blended US dollars per 1M tokens -> quality. Chosen: below the first are models of a few
# billion parameters, above the second the dearest ones, and no price buys certainty.
_CHEAPEST_USD, _LOWEST_QUALITY = 0.02, 0.50
_DEAREST_USD, _HIGHEST_QUALITY = 40.0, 0.93


def blended_usd_per_mtok(input_nano: int, output_nano: int) -> float:
    """US dollars per 1M tokens of a 3:1 mix of input and output, from nano-dollars per 1M tokens."""
    return (_INPUT_WEIGHT * input_nano + output_nano) / (_INPUT_WEIGHT + 1) / NANO_USD_PER_USD


def price_heuristic(input_nano: int, output_nano: int) -> float:
    """Quality in [0.50, 0.93]: linear in the logarithm of the blended price, flat outside $0.02 to $40.

    Never falls as a price rises.

    Args:
        input_nano: Nano-dollars per 1M input tokens, >= 0.
        output_nano: Nano-dollars per 1M output tokens, >= 0.

    Example:
        >>> price_heuristic(150_000_000, 600_000_000)
        0.6456
    """
    usd = min(max(blended_usd_per_mtok(input_nano, output_nano), _CHEAPEST_USD), _DEAREST_USD)
    share = math.log(usd / _CHEAPEST_USD) / math.log(_DEAREST_USD / _CHEAPEST_USD)
    return round(_LOWEST_QUALITY + share * (_HIGHEST_QUALITY - _LOWEST_QUALITY), 4)
