"""Several objects and one pixel: who has it."""

import torch
from torch import Tensor

SMALLEST = 1e-7
"""No probability is nearer to 0 or to 1 than this; logits stay finite."""


def aggregate(probabilities: Tensor) -> Tensor:
    """Soft aggregation: probabilities of objects by themselves become shares that sum up to one.

    Paper: Oh et al., Video Object Segmentation using Space-Time Memory Networks, arXiv 1904.00607.

    Args:
        probabilities: float32 (k, height, width), 0..1.

    Returns:
        float32 (k + 1, height, width), the background first.
    """
    background = torch.prod(1 - probabilities, 0, keepdim=True)
    return torch.softmax(torch.logit(torch.cat([background, probabilities]), SMALLEST), 0)
