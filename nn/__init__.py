"""Neural networks of scalar Values: neurons, layers, networks, and what trains them."""

import typing as _typing

import autograd as _autograd

if not hasattr(_autograd, "TABLE"):  # its place was taken by HIPS/autograd, which bears the same import name
    raise ImportError(
        "nn needs neurongrad's package `autograd`, but another one of that name was imported from "
        f"{_autograd.__file__}. Keep one: `pip uninstall autograd neurongrad`, then install neurongrad again."
    )

from autograd.later import later as _later

from . import activations, data, init, metrics, penalties, schedules
from .attention import MultiHeadAttention, attention, attention_weights, causal_mask, padding_mask
from .bert import BERT, masked_cross_entropy
from .callbacks import Callback, Checkpoint, EarlyStopping
from .containers import Residual, Sequential
from .convolution import AvgPool, Conv1d, Conv2d, Flatten, MaxPool
from .data import DataLoader, one_hot, train_test_split
from .embedding import Embedding
from .fit import fit
from .gpt import GPT
from .history import History
from .losses import binary_cross_entropy, cross_entropy, hinge, huber, kl, mae, mse, multi_margin, nll
from .module import Module, watching
from .neuron import MLP, Fit, Layer, McCullochPitts, Neuron, Perceptron
from .normalization import BatchNorm, LayerNorm, MinMax, RMSNorm, Standardize
from .optim import SGD, Adagrad, Adam, AdamW, Lion, Optimizer, RMSprop, clip_grad_norm, clip_grad_value
from .positions import LearnedPositions, SinusoidalPositions, rotary, sinusoidal
from .recurrence import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from .regularization import Dropout
from .saving import load, load_arrays, save, state_arrays
from .summary import Summary, summary
from .training import TrainStep, train_step
from .transformer import FeedForward, Transformer, TransformerBlock, next_token
from .vit import ViT

_LATER = {  # what is loaded when it is first asked for: the module of each
    "Recording": "recording",
    "collapse_linear": "diagnostics",
    "dead_units": "diagnostics",
    "from_torch": "torch_weights",
    "gradient_report": "diagnostics",
    "plots": "",  # the module itself
    "saturation": "diagnostics",
    "to_torch": "torch_weights",
}
if _typing.TYPE_CHECKING:
    from . import plots
    from .diagnostics import collapse_linear, dead_units, gradient_report, saturation
    from .recording import Recording
    from .torch_weights import from_torch, to_torch
else:
    __getattr__, __dir__ = _later(__name__, _LATER)

__all__ = [
    "BERT",
    "GPT",
    "GRU",
    "LSTM",
    "MLP",
    "RNN",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AvgPool",
    "BatchNorm",
    "Callback",
    "Checkpoint",
    "Conv1d",
    "Conv2d",
    "DataLoader",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "FeedForward",
    "Fit",
    "Flatten",
    "GRUCell",
    "History",
    "LSTMCell",
    "Layer",
    "LayerNorm",
    "LearnedPositions",
    "Lion",
    "MaxPool",
    "McCullochPitts",
    "MinMax",
    "Module",
    "MultiHeadAttention",
    "Neuron",
    "Optimizer",
    "Perceptron",
    "RMSNorm",
    "RMSprop",
    "RNNCell",
    "Recording",
    "Residual",
    "Sequential",
    "SinusoidalPositions",
    "Standardize",
    "Summary",
    "TrainStep",
    "Transformer",
    "TransformerBlock",
    "ViT",
    "activations",
    "attention",
    "attention_weights",
    "binary_cross_entropy",
    "causal_mask",
    "clip_grad_norm",
    "clip_grad_value",
    "collapse_linear",
    "cross_entropy",
    "data",
    "dead_units",
    "fit",
    "from_torch",
    "gradient_report",
    "hinge",
    "huber",
    "init",
    "kl",
    "load",
    "load_arrays",
    "mae",
    "masked_cross_entropy",
    "metrics",
    "mse",
    "multi_margin",
    "next_token",
    "nll",
    "one_hot",
    "padding_mask",
    "penalties",
    "plots",
    "rotary",
    "saturation",
    "save",
    "schedules",
    "sinusoidal",
    "state_arrays",
    "summary",
    "to_torch",
    "train_step",
    "train_test_split",
    "watching",
]
