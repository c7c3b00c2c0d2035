from .ops import *
from .functions import *
from .activations import *
from .context import *
from .context import within, context
from .value import Value, dot, gradients, topological, Constant, Vector
from .graph import trace
from .ops import exp, maximum, op, TABLE, Op
globals().update({entry.name: entry for entry in TABLE.values() if entry.name != "dot"})
