// node latency.mjs URL [STROKES]: how long after a stroke its landscape is there, as the page shows it.
import { launch, open, until } from "./browser.mjs";

const [url, count = "20"] = process.argv.slice(2);
const browser = await launch();
const { page, close } = await open(browser, "landscape", { url });
await until(page, "latency", (text) => text.endsWith(" ms"));
const box = await page.locator("#sketch-overlay").boundingBox();
const times = [];
for (let stroke = 0; stroke < Number(count); stroke++) {
  await page.keyboard.press(stroke % 2 ? "," : "."); // mountain and a neighbour: never what is there already
  const y = box.y + box.height * (0.1 + (0.8 * ((stroke * 7) % 20)) / 20);
  await page.mouse.move(box.x + 0.1 * box.width, y);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.9 * box.width, y, { steps: 15 });
  // Watched inside the page: asking from here would add this script's own delays.
  await page.evaluate(() => {
    window.shown = new Promise((resolve) => {
      const image = document.getElementById("result");
      const surface = document.getElementById("sketch-overlay");
      const onUp = () => {
        const began = performance.now();
        const old = image.src; // what is in flight now is out of date, so the next one is the stroke's
        const look = () => {
          if (image.src === old) requestAnimationFrame(look);
          else image.decode().then(() => resolve(performance.now() - began), () => requestAnimationFrame(look));
        };
        look();
      };
      surface.addEventListener("pointerup", onUp, { once: true });
    });
  });
  await page.mouse.up();
  times.push(await page.evaluate(() => window.shown));
  await page.waitForTimeout(400);
}
times.sort((one, other) => one - other);
const at = (share) => Math.round(times[Math.min(times.length - 1, Math.floor(share * times.length))]);
console.log(`${times.length} strokes: p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, slowest ${at(1)} ms`);
await close();
await browser.close();
