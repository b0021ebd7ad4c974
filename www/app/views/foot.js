// The page's foot: the licence of the model on show, and who must be named beside it.

import { byId, h, whenChanged } from "../dom.js";
import { sentence } from "../words.js";

/** @import { Model } from "../contract.js" */
/** @import { State } from "../state.js" */

export function footView() {
  const show = whenChanged((/** @type {Model | null} */ model) => {
    const foot = byId("foot");
    foot.hidden = !model?.licence;
    if (!model) return foot.replaceChildren();
    foot.replaceChildren(
      h("p", {}, `The model ${model.bundle.replace(/ [0-9a-f]{12}$/, "")} is licensed under ${sentence(model.licence)}`),
      ...(model.attribution.length ? [h("p", {}, model.world ? "It learnt from drawings by others, recoloured and put together:" : "To be named with it:"), h("ul", {}, ...model.attribution.map((line) => h("li", {}, line)))] : []),
    );
  });
  return (/** @type {State} */ state) => show(state.model);
}
