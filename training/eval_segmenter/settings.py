"""Everything that decides what a run of the eval segmenter computes."""

from __future__ import annotations

from pydantic import PositiveInt

from training.eval_segmenter.network import EvalSegmenterConfig, EvalSegmenterNetwork
from training.segmenter.settings import LabellerSettings


class EvalSegmenterSettings(LabellerSettings):
    """The dials of one run; the training itself is the segmenter's."""

    widths: tuple[PositiveInt, ...] = (32, 80, 128, 144)
    depths: tuple[PositiveInt, ...] = (1, 2, 2, 1)
    seed: int = 1_000_003  # no other run's

    def model(self, training_data: str) -> EvalSegmenterConfig:
        return EvalSegmenterConfig(
            image_size=self.image_size, training_data=training_data, widths=self.widths, depths=self.depths
        )

    def network(self) -> EvalSegmenterNetwork:
        return EvalSegmenterNetwork(self.model(""), self.drop_path, self.dropout)


PRESETS: dict[str, EvalSegmenterSettings] = {
    # About an hour on one core: 46 epochs, so the augmentation is milder than usual.
    "small": EvalSegmenterSettings(
        steps=6500,
        rate=2e-3,
        drop_path=0.0,
        label_smoothing=0.05,
        rare_power=0.3,
        min_zoom=0.9,
        max_zoom=1.7,
        mix_share=0.3,
    ),
}
