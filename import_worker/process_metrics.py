"""Sum of the metrics of the worker's processes. Import it only in the context of `metrics_directory`."""

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector


class ProcessMetrics(MultiProcessCollector):
    """Collector of the files in which each process has its metrics.

    A process that has just started has empty files for a moment. The library fails to read them, so a scrape at that
    moment would be a 500.
    """

    def __init__(self, path: str) -> None:
        super().__init__(registry=None, path=path)  # type: ignore[no-untyped-call]
        self._folder = Path(path)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of all processes together."""
        files = [str(file) for file in self._folder.glob("*.db") if file.stat().st_size]
        metrics: Iterable[Metric] = self.merge(files)  # type: ignore[no-untyped-call]
        return metrics
