"""tests/reference: the losses in PyTorch. Scores in, mean over the targets out.

positive: [n]; negatives: [n][k]; all_scores: [n][V]; targets: [n] rows; drawn: [n][k] rows of the negatives.
"""
import math

import torch
from torch.nn import functional


def bce(positive, negatives):
    """Mean of -log sigma(s+) - sum_j log(1 - sigma(s-_j)); with k = 1 what SASRec.pytorch minimises."""
    return (functional.softplus(-positive) + functional.softplus(negatives).sum(-1)).mean()


def softmax(all_scores, targets):
    """Cross-entropy over the whole catalogue."""
    return functional.cross_entropy(all_scores, targets)


def sampled_softmax(positive, negatives, targets, drawn):
    """Cross-entropy over the target and its negatives; a negative that is the target itself takes no part."""
    negatives = negatives.masked_fill(drawn == targets.unsqueeze(-1), -math.inf)
    return (torch.logsumexp(torch.cat([positive.unsqueeze(-1), negatives], -1), -1) - positive).mean()
