"""The report of an evaluation: one page with everything that helps to judge a model.

from stgraph_tf.evaluation import report

report.write("report.html", report.Inputs(measures, scored, multi_label=True))
"""

from stgraph_tf.evaluation.report.inputs import Films, Inputs
from stgraph_tf.evaluation.report.page import write

__all__ = ["Films", "Inputs", "write"]
