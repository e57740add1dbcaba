"""Every Prometheus metric of the service; the only room that imports prometheus_client.

Workers count nothing: what they did reaches the HTTP process in their messages and is counted here, once. So
one ordinary registry is right across processes and across worker restarts.
"""

from service.metrics.keys import KeyMetrics
from service.metrics.lab import LabMetrics
from service.metrics.registry import CONTENT_TYPE, Metrics
from service.metrics.steps import StepMetrics
from service.metrics.text import TextModelMetrics

__all__ = ["CONTENT_TYPE", "KeyMetrics", "LabMetrics", "Metrics", "StepMetrics", "TextModelMetrics"]
