"""Any network prints its own chain rule: forward, loss, backward and update, written from the ops of its plan.

symbols.py      the letters: z¹, dW², and how they look in LaTeX
terms.py        how an op is written: parentheses, numbers, sums, from the templates of the ops
record.py       lowers the network and notes which value is which letter
write.py        goes through the nodes in order and makes the lines
equations.py    the lines as aligned text and as LaTeX
"""

from .equations import Equations

__all__ = ["Equations"]
