// The grease-pencil ring around a kept picture: the one mark that means "the verifier chose this".

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = ["ring-a", "ring-b", "ring-c"];

/** @param {string} name any text; the same one always gets the same stroke */
export function ring(name) {
  const sum = [...name].reduce((total, character) => total + character.charCodeAt(0), 0);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "ring");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#${SHAPES[sum % SHAPES.length]}`);
  svg.append(use);
  return svg;
}
