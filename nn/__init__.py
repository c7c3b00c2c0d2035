"""Neural networks of scalar Values: neurons, layers, networks, and what trains them."""

import autograd as _autograd

if not hasattr(_autograd, "TABLE"):  # its place was taken by HIPS/autograd, which bears the same import name
    raise ImportError(
        "nn needs neurongrad's package `autograd`, but another one of that name was imported from "
        f"{_autograd.__file__}. Keep one: `pip uninstall autograd neurongrad`, then install neurongrad again."
    )

from . import activations, init
from .containers import Residual, Sequential
from .losses import binary_cross_entropy, cross_entropy, hinge, huber, mae, mse
from .module import Module, watching
from .neuron import MLP, Fit, Layer, McCullochPitts, Neuron, Perceptron
from .normalization import BatchNorm, LayerNorm, MinMax, RMSNorm, Standardize
from .optim import SGD, Adam, Optimizer
from .regularization import Dropout
from .training import TrainStep, train_step

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "BatchNorm",
    "Dropout",
    "Fit",
    "Layer",
    "LayerNorm",
    "McCullochPitts",
    "MinMax",
    "Module",
    "Neuron",
    "Optimizer",
    "Perceptron",
    "RMSNorm",
    "Residual",
    "Sequential",
    "Standardize",
    "TrainStep",
    "activations",
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "huber",
    "init",
    "mae",
    "mse",
    "train_step",
    "watching",
]
