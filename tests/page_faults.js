// What can be wrong with a page as it is shown: each function gives sentences, none
// where nothing is wrong.
(() => {
  const PICTURES = "svg, canvas, img, [role=img]";

  const isShown = (element) => element.checkVisibility(
    { opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });

  // What is only for those who listen lies in a box of a pixel.
  const isOnlyHeard = (element) => {
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      if (getComputedStyle(each).overflow === "hidden" && each.offsetWidth <= 1) return true;
    }
    return false;
  };

  const words = (element) => (element.textContent || "").trim().replace(/\s+/g, " ");

  const short = (text) => JSON.stringify(text.length > 40 ? text.slice(0, 39) + "…" : text);

  const called = (element) =>
    `<${element.localName}> ${short(words(element) || element.id || element.className)}`;

  // A picture is told of by its own words; what is in it belongs to it.
  const pictures = () => [...document.querySelectorAll(PICTURES)].filter((each) =>
    isShown(each) && !each.parentElement.closest("svg, [role=img]")
    && !each.closest("[aria-hidden=true]")
    && !["presentation", "none"].includes(each.getAttribute("role"))
    && each.getAttribute("alt") !== "");

  const nameOf = (picture) => {
    const labelled = (picture.getAttribute("aria-labelledby") || "").split(/\s+/)
      .map((id) => id && document.getElementById(id)).filter(Boolean).map(words);
    const title = picture.querySelector(":scope > title");
    return [picture.getAttribute("aria-label"), ...labelled, picture.getAttribute("alt"),
            title && words(title)].find((text) => text && text.trim()) || "";
  };

  // A figure holds its table; elsewhere the nearest part of the page that holds numbers
  // does, be they a table or a list of terms.
  const besides = (picture) => {
    let part = picture.closest("figure") || picture.parentElement;
    const numbers = () => [...part.querySelectorAll("tbody td, tbody th, dl dd")];
    while (!part.matches("figure, main, body") && !numbers().length) part = part.parentElement;
    return part.matches("main, body") ? [] : numbers();
  };

  const isNumber = (text) => /^[\d.,]+\s?[%kM]?$/.test(text);

  const isBlank = (canvas) => {
    const { width, height } = canvas;
    const empty = Object.assign(document.createElement("canvas"), { width, height });
    return canvas.toDataURL() === empty.toDataURL();
  };

  // Not a bar, which may well stand at nothing.
  const isChart = (picture) => picture.closest("figure") || picture.querySelector("canvas");

  // Letters fill less than their line.
  const boxOf = (text) => {
    const { left, right, top, bottom } = text.getBoundingClientRect();
    const air = (bottom - top) * 0.15;
    return { left, right, top: top + air, bottom: bottom - air };
  };

  // Labels that almost touch are read as one.
  const meet = (one, other) => one.left < other.right + 2 && other.left < one.right + 2
    && one.top < other.bottom && other.top < one.bottom;

  const labelsOf = (svg) => [...svg.querySelectorAll("text")]
    .filter((text) => isShown(text) && words(text));

  const drawings = () => [...document.querySelectorAll("svg")]
    .filter((svg) => isShown(svg) && !svg.parentElement.closest("svg"));

  const sizeOf = (element) => {
    const size = parseFloat(getComputedStyle(element).fontSize);
    const matrix = element.getScreenCTM && element.getScreenCTM();
    return matrix ? size * Math.sqrt(Math.abs(matrix.a * matrix.d - matrix.b * matrix.c)) : size;
  };

  const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
    .getContext("2d", { willReadFrequently: true });

  // Red, green, blue and alpha, however the colour is written.
  const channels = (colour) => {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = "transparent";
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };

  const over = (front, back) =>
    [0, 1, 2].map((i) => front[i] * front[3] + back[i] * (1 - front[3])).concat(1);

  const luminance = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const part = colour[i] / 255;
    return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  }, 0);

  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  const paintOf = (element) => {
    const style = getComputedStyle(element);
    const isDrawn = element instanceof SVGElement && element.localName !== "svg";
    const colour = channels(isDrawn ? style.fill : style.backgroundColor);
    colour[3] *= isDrawn ? style.fillOpacity * style.opacity : 1;
    return colour;
  };

  // A mark takes no pointer where only its edge is drawn, so it hides nothing here.
  const groundOf = (text) => {
    const { left, right, top, bottom } = text.getBoundingClientRect();
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches
      && getComputedStyle(document.documentElement).colorScheme.includes("dark")
      ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return document.elementsFromPoint((left + right) / 2, (top + bottom) / 2)
      .filter((each) => each.localName !== "text" && each.localName !== "tspan")
      .map(paintOf).reverse().reduce((ground, paint) => over(paint, ground), canvas);
  };

  return {
    sideways: (width) => {
      if (document.scrollingElement.scrollWidth <= width) return [];
      const wide = [...document.body.querySelectorAll("*")]
        .filter((each) => isShown(each) && each.getBoundingClientRect().right > width + 1)
        .map(called);
      return [`the page is ${document.scrollingElement.scrollWidth} px wide on ${width}: `
              + wide.slice(0, 5).join(", ")];
    },

    untold: () => {
      const alone = [...document.querySelectorAll("figure")]
        .filter((figure) => isShown(figure) && !pictures().some((each) => figure.contains(each)))
        .map((figure) => `a figure has no picture: ${called(figure)}`);
      return alone.concat(pictures().flatMap((picture) => {
        const name = nameOf(picture);
        const what = name ? short(name) : called(picture);
        const texts = besides(picture).map(words).filter(Boolean);
        const numbers = texts.filter(isNumber);
        return [
          !name && `a picture has no text alternative: ${what}`,
          !texts.length && `a picture has no table beside it: ${what}`,
          isChart(picture) && numbers.length && numbers.every((text) => !parseFloat(text.replace(/,/g, "")))
            && `a picture shows zeros only: ${what}`,
        ].filter(Boolean);
      }));
    },

    blank: () => [...document.querySelectorAll("canvas")]
      .filter((canvas) => isShown(canvas) && isBlank(canvas))
      .map((canvas) => `nothing is drawn on ${called(canvas)}`),

    overlapping: () => drawings().flatMap((svg) => {
      const labels = labelsOf(svg);
      const boxes = labels.map(boxOf);
      return labels.flatMap((label, i) => labels.slice(i + 1)
        .filter((_, j) => meet(boxes[i], boxes[i + 1 + j]))
        .map((other) => `labels overlap: ${short(words(label))} and ${short(words(other))}`));
    }),

    cut: () => drawings().flatMap((svg) => {
      const frame = svg.getBoundingClientRect();
      return labelsOf(svg).filter((label) => {
        const box = boxOf(label);
        return box.left < frame.left - 1 || box.right > frame.right + 1
          || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
      }).map((label) => `a label is cut off: ${short(words(label))}`);
    }),

    small: (least) => {
      const found = new Set();
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !isShown(element)) continue;
        const size = sizeOf(element);
        if (size < least - 0.05) found.add(`${size.toFixed(1)} px is too small: ${called(element)}`);
      }
      return [...found];
    },

    broken: () => {
      const found = [];
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const { data, parentElement } = texts.currentNode;
        if (!isShown(parentElement) || isOnlyHeard(parentElement)) continue;
        for (const { 0: word, index } of data.matchAll(/[\p{L}\d.,:%+]{2,20}(?![^\s])/gu)) {
          if (index && data[index - 1].trim()) continue;
          const range = document.createRange();
          range.setStart(texts.currentNode, index);
          range.setEnd(texts.currentNode, index + word.length);
          const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
          if (lines.size > 1) found.push(`a word is broken: ${short(word)} in ${called(parentElement)}`);
        }
      }
      return found;
    },

    pale: (least) => drawings().flatMap(labelsOf).flatMap((label) => {
      label.scrollIntoView({ block: "center", inline: "center" });
      const ground = groundOf(label);
      const ratio = contrast(over(paintOf(label), ground), ground);
      return ratio < least
        ? [`contrast ${ratio.toFixed(1)} is too little: ${short(words(label))}`] : [];
    }),
  };
})()
