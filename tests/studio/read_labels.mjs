// node read_labels.mjs: labels as the page reads them. In: JSON of the palette's colours and RGBA files with their sides;
// each answer lies beside its picture, as NAME.labels.
import { readFileSync, writeFileSync } from "node:fs";

import { ColorTable } from "../../studio/landscape/color.js";
import { readLabels } from "../../studio/landscape/read_sketch.js";

const { colors, pictures } = JSON.parse(readFileSync(0, "utf8"));
const table = new ColorTable(colors);
for (const { path, width, height } of pictures) {
  writeFileSync(`${path}.labels`, readLabels(new Uint8ClampedArray(readFileSync(path)), width, height, table).data);
}
