#pragma once
/// @file script.hpp
/// The script of a report: theme, position in the navigation, read-outs, moving skeletons. Every figure is
/// complete without it. Foreign text only ever becomes `textContent`.

#include <string_view>

#include "tmor/core/config.hpp"

TMOR_BEGIN
namespace report::detail {

inline constexpr std::string_view kScript = R"js(
'use strict';
(() => {
const all = (what, within = document) => [...within.querySelectorAll(what)];
const svg = (name, attributes) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  return e;
};
const data = figure => JSON.parse(figure.querySelector('script').textContent);
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

// Theme: the system's until the reader chooses; kept where the browser allows it.
const root = document.documentElement, button = document.querySelector('.theme');
const system = matchMedia('(prefers-color-scheme: dark)');
const keep = v => { try { return v ? localStorage.setItem('tmor-theme', v) : localStorage.getItem('tmor-theme'); }
                    catch { return null; } };
const dark = () => (root.dataset.theme || (system.matches ? 'dark' : 'light')) === 'dark';
const name_theme = () => { button.textContent = dark() ? 'Light theme' : 'Dark theme'; };
const kept = keep();
if (kept === 'dark' || kept === 'light') root.dataset.theme = kept;
button.hidden = false;
name_theme();
system.addEventListener('change', name_theme);
button.addEventListener('click', () => {
  root.dataset.theme = dark() ? 'light' : 'dark';
  keep(root.dataset.theme);
  name_theme();
});

// The entry of the section being read.
const links = new Map(all('.top nav a').map(a => [a.hash.slice(1), a]));
const nav = document.querySelector('.top nav');
const here = () => {
  let now = 'top';
  for (const s of all('main > section')) if (s.getBoundingClientRect().top < innerHeight * 0.35) now = s.id;
  for (const [id, a] of links) {
    if (id !== now) { a.removeAttribute('aria-current'); continue; }
    if (a.hasAttribute('aria-current')) continue;
    a.setAttribute('aria-current', 'true');
    if (nav.scrollWidth > nav.clientWidth) nav.scrollLeft = a.offsetLeft - nav.clientWidth / 3;
  }
};
addEventListener('scroll', here, {passive: true});
here();

// Shows that something wide goes on to the right.
for (const wide of all('.scroll')) {
  const mark = () => wide.classList.toggle('more', wide.scrollLeft + wide.clientWidth < wide.scrollWidth - 2);
  wide.addEventListener('scroll', mark, {passive: true});
  addEventListener('resize', mark);
  mark();
}

// Words of whatever is pointed at.
for (const area of all('[data-read]')) {
  const out = area.parentElement.querySelector('.readout') || area.querySelector('.readout');
  const read = event => {
    const title = event.target.closest('svg *') && event.target.querySelector(':scope > title');
    if (title && out) out.textContent = title.textContent;
  };
  area.addEventListener('pointerover', read);
  area.addEventListener('pointerdown', read);
}

// Charts: the values at the place under the pointer, or moved to with the arrow keys.
const number = (v, axis) => {
  if (axis.percent) return (100 * v).toFixed(1) + ' %';
  const a = Math.abs(v);
  if (a && (a < 1e-3 || a >= 1e7)) return v.toExponential(2);
  return String(+v.toPrecision(a >= 1000 ? 7 : 4));
};
for (const figure of all('[data-chart]')) {
  const d = data(figure), [left, right, top, bottom, width] = d.box;
  const picture = figure.querySelector('.plot svg'), tip = figure.querySelector('.tip');
  const scaled = (v, s) => s.log ? Math.log(v / s.low) / Math.log(s.high / s.low) : (v - s.low) / (s.high - s.low);
  const at_x = v => left + scaled(v, d.x) * (right - left), at_y = v => bottom - scaled(v, d.y) * (bottom - top);
  const xs = [...new Set(d.series.flatMap(s => s.points.map(p => p[0])))].sort((a, b) => a - b);
  const marks = svg('g', {});
  picture.append(marks);
  let at = -1;
  const hide = () => { at = -1; tip.hidden = true; marks.replaceChildren(); };
  const show = i => {
    at = clamp(i, 0, xs.length - 1);
    const x = xs[at], place = at_x(x);
    marks.replaceChildren(svg('line', {class: 'cursor', x1: place, x2: place, y1: top, y2: bottom}));
    const head = document.createElement('b');
    head.textContent = d.x.label + ' ' + number(x, d.x);
    tip.replaceChildren(head);
    d.series.forEach((s, k) => {
      // The point nearest to x, if the series has one near: within two hundredths of the width.
      let best = null;
      for (const p of s.points) if (!best || Math.abs(p[0] - x) < Math.abs(best[0] - x)) best = p;
      if (!best || Math.abs(at_x(best[0]) - place) > 0.02 * (right - left)) return;
      marks.append(svg('circle', {class: 'mark c' + k % 8, cx: at_x(best[0]), cy: at_y(best[1]), r: 4.5}));
      const [line, dot, name, value] = ['span', 'i', 'em', 'u'].map(e => document.createElement(e));
      dot.className = 'c' + k % 8;
      name.textContent = s.name;
      value.textContent = number(best[1], d.y) + (best.length > 2 ? ' ± ' + number(best[2], d.y) : '');
      line.append(dot, name, value);
      tip.append(line);
    });
    tip.hidden = false;
    const px = place / width * picture.clientWidth;
    tip.style.left = clamp(px + (px > picture.clientWidth / 2 ? -tip.offsetWidth - 12 : 12), 0,
                           Math.max(0, picture.clientWidth - tip.offsetWidth)) + 'px';
  };
  const point = event => {
    const box = picture.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * width;
    let best = 0;
    xs.forEach((v, i) => { if (Math.abs(at_x(v) - x) < Math.abs(at_x(xs[best]) - x)) best = i; });
    show(best);
  };
  picture.addEventListener('pointermove', point);
  picture.addEventListener('pointerdown', point);
  picture.addEventListener('pointerleave', hide);
  picture.addEventListener('blur', hide);
  picture.addEventListener('keydown', event => {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!step) return;
    event.preventDefault();
    show(at < 0 ? (step > 0 ? 0 : xs.length - 1) : at + step);
  });
}

// Maps: one action alone.
for (const map of all('[data-map]')) {
  const groups = all('g[data-group]', map), keys = all('button[data-group]', map);
  let chosen = null;
  const only = group => {
    if (group === null) delete map.dataset.only; else map.dataset.only = '';
    for (const g of groups) g.classList.toggle('only', g.dataset.group === group);
    for (const k of keys) k.setAttribute('aria-pressed', String(k.dataset.group === chosen));
  };
  for (const k of keys) {
    k.addEventListener('pointerenter', event => { if (event.pointerType === 'mouse') only(k.dataset.group); });
    k.addEventListener('pointerleave', () => only(chosen));
    k.addEventListener('click', () => {
      chosen = chosen === k.dataset.group ? null : k.dataset.group;
      only(chosen);
    });
  }
}

// Moving skeletons: only while on the screen, and not by themselves where the reader wants stillness.
const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
for (const figure of all('[data-player]')) {
  const d = data(figure), size = d.depth ? 3 : 2;
  const paths = ['middle', 'left', 'right', 'head'].map(c => figure.querySelector('.stage .pose .' + c));
  const frame = figure.querySelector('.frame'), film = all(':scope > .film img', figure);
  const controls = figure.querySelector('.controls'), play = controls.querySelector('.play');
  const seek = controls.querySelector('.seek'), clock = controls.querySelector('output');
  const turn = controls.querySelector('.turn input');
  let playing = !still && d.moments > 1, visible = false, moment = 0, last = 0, angle = d.turned;
  const draw = () => {
    const t = Math.min(d.moments - 1, Math.floor(moment)), a = d.depth ? angle * Math.PI / 180 : 0;
    const c = Math.cos(a), s = Math.sin(a), lines = ['', '', '', ''];
    for (let m = 0; m < d.persons; ++m) {
      const spot = joint => {
        const i = ((t * d.persons + m) * d.joints + joint) * size, p = d.points;
        return p[i] === null ? null : Math.round(p[i] * c + (d.depth ? p[i + 2] * s : 0)) + ' ' + -p[i + 1];
      };
      for (const [child, parent, side] of d.bones) {
        const from = spot(child), to = spot(parent);
        if (from && to) lines[side] += 'M' + from + 'L' + to;
      }
      const head = d.head >= 0 && spot(d.head);
      if (head) lines[3] += 'M' + head + 'h0';
    }
    paths.forEach((p, i) => p.setAttribute('d', lines[i]));
    seek.value = t;
    clock.textContent = (t / d.fps).toFixed(1) + ' s';
    if (frame && film.length) {
      const now = film[Math.min(film.length - 1, Math.floor(t / d.moments * film.length))];
      if (!now.classList.contains('now')) {
        for (const f of film) f.classList.toggle('now', f === now);
        frame.src = now.src;
      }
    }
  };
  let loop = 0;
  const tick = (time, mine) => {
    if (!playing || !visible || mine !== loop) return;
    // The first frame may carry a time before the call that asked for it.
    moment = (moment + clamp((time - last) / 1000, 0, 0.25) * d.fps) % d.moments;
    last = time;
    draw();
    requestAnimationFrame(next => tick(next, mine));
  };
  const go = () => {
    const mine = ++loop;
    play.textContent = playing ? 'Pause' : 'Play';
    if (!playing || !visible) return;
    last = performance.now();
    requestAnimationFrame(next => tick(next, mine));
  };
  play.addEventListener('click', () => { playing = !playing; go(); });
  seek.addEventListener('input', () => { playing = false; go(); moment = +seek.value; draw(); });
  if (turn) turn.addEventListener('input', () => { angle = +turn.value; draw(); });
  figure.dataset.on = '';
  controls.hidden = false;
  new IntersectionObserver(entries => {
    const now = entries[entries.length - 1].isIntersecting;
    if (now !== visible) { visible = now; go(); }
  }, {threshold: 0.2}).observe(figure);
  go();
  draw();
}
})();
)js";

}  // namespace report::detail
TMOR_END
