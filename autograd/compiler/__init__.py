"""The compiler: scalars in, the NumPy that a person would have written out.

traced      Values without numbers; record: f is called once, on such
graph       the recording as plain data; its gradient, by the table's own rules
simplify    rewrites, as data
sums        whatever is linear becomes a sum of products
grouping    nodes become arrays; products of matrices are found
views       index arrays become slices
reading     how an array is read, as an expression; products: sums of products as `@`
emit        arrays become lines
loops       the steps of a recurrence become a `for`
text        lines become a function
straight    or, of a small program: plain Python on floats
levels      or, of a large one without any order in it: all numbers of one depth at once
picture     the program's arrays as a graph
store       parameters in one array
program     `compile`, and what it returns
"""

from .program import Program, compile, compile_graph
from .traced import uniform

__all__ = ["Program", "compile", "compile_graph", "uniform"]
