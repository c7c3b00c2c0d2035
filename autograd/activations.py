from .ops import op, step
relu = op("relu", "max(0, x)", lambda x: x if x > 0.0 or x != x else 0.0, lambda g, out, x: g * (1.0 - step(-x)), symbol="ReLU")
