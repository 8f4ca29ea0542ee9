#pragma once
/// @file style.hpp
/// The style sheet of a report. Colours are the custom properties of palette.hpp; the theme follows the
/// system unless the reader chose one.

#include <string>
#include <string_view>

#include "tmor/report/palette.hpp"

TMOR_BEGIN
namespace report::detail {

inline constexpr std::string_view kStyle = R"css(
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:7rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);
 font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1,h2,h3,h4,p,figure,ol,ul,dl,dd{margin:0;padding:0}
h1{font-size:clamp(1.7rem,1.2rem + 2.4vw,2.6rem);line-height:1.15;letter-spacing:-.022em;font-weight:700;
 text-wrap:balance}
h2{font-size:1.45rem;line-height:1.25;letter-spacing:-.015em;font-weight:680}
h3{font-size:1rem;line-height:1.35;font-weight:640}
h4{font-size:.875rem;font-weight:640;margin-bottom:.6rem}
p{overflow-wrap:anywhere}
a{color:var(--accent)}
ol,ul{list-style:none}
button,input{font:inherit;color:inherit}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
[hidden]{display:none!important}
.lead{color:var(--muted);max-width:68ch;text-wrap:pretty}
.hero .lead{font-size:1.1rem;margin-top:.9rem}
h2+.lead{margin-top:.4rem}
.sub,.readout,figcaption,.none,small{color:var(--muted);font-size:.84rem;line-height:1.5}
small{font-size:.8em;font-weight:400}
.num{font-variant-numeric:tabular-nums;white-space:nowrap}

.top{position:sticky;top:0;z-index:5;background:var(--page);border-bottom:1px solid var(--line);
 display:grid;grid-template-columns:minmax(0,1fr) auto;align-items:center;gap:.2rem 1rem;padding:.55rem 1rem 0}
.brand{font-weight:680;color:var(--ink);text-decoration:none;white-space:nowrap;overflow:hidden;
 text-overflow:ellipsis;letter-spacing:-.01em}
.top .theme{grid-area:1/2}
.top nav{grid-area:2/1/3/3;display:flex;gap:1.15rem;overflow-x:auto;scrollbar-width:none;margin:0 -1rem;padding:0 1rem}
.top nav::-webkit-scrollbar{display:none}
.top nav a{color:var(--muted);text-decoration:none;white-space:nowrap;font-size:.9rem;padding:.4rem 0 .5rem;
 border-bottom:2px solid transparent}
.top nav a:hover{color:var(--ink)}
.top nav a[aria-current]{color:var(--accent);border-color:var(--accent);font-weight:600}
.theme{background:var(--card);border:1px solid var(--line);border-radius:999px;padding:.25rem .8rem;font-size:.84rem;
 cursor:pointer;white-space:nowrap}
.theme:hover{border-color:var(--muted)}
main{padding:2rem 1rem 5rem;max-width:1120px;margin:0 auto}
section+section{margin-top:4rem}
section>*+*{margin-top:1.25rem}
section>h2+.lead{margin-top:.4rem}
@media (min-width:1080px){
 html{scroll-padding-top:2rem}
 body{display:grid;grid-template-columns:236px minmax(0,1fr)}
 .top{height:100vh;border:0;border-right:1px solid var(--line);display:flex;flex-direction:column;align-items:stretch;
  padding:2.4rem 1.25rem 1.25rem;gap:1.4rem}
 .brand{white-space:normal;line-height:1.3}
 .top nav{flex:1;flex-direction:column;gap:.1rem;margin:0;padding:0;overflow:visible auto}
 .top nav a{padding:.34rem .75rem;border:0;border-left:2px solid var(--line)}
 .top nav a[aria-current]{border-color:var(--accent)}
 main{padding:2.6rem 3rem 6rem;width:100%}
}

.card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:1.15rem 1.2rem;min-width:0}
.card>*+*{margin-top:.7rem}
.card>h3+.sub{margin-top:.1rem}
.chart{max-width:660px}
.grid{display:grid;gap:1.1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,360px),1fr));align-items:start}
.grid>.full,.grid>.map,.grid>.confusion{grid-column:1/-1}
.grid.three{grid-template-columns:repeat(auto-fill,minmax(min(100%,270px),1fr))}
.headlines{display:grid;gap:.9rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,158px),1fr));margin-top:1.8rem!important}
.headlines .card{display:flex;flex-direction:column}
.headlines .card>*+*{margin-top:.1rem}
.headlines .what{font-size:.9rem;line-height:1.35;font-weight:600}
.headlines .value{order:-1;margin-bottom:.3rem;font-size:1.85rem;line-height:1.2;font-weight:680;letter-spacing:-.02em;
 font-variant-numeric:tabular-nums}
.facts{display:grid;gap:.55rem 2rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));font-size:.9rem}
.facts>div{margin:0;display:grid;grid-template-columns:6.4rem minmax(0,1fr);gap:.8rem}
.facts .long{grid-column:1/-1}
.facts dt{color:var(--muted)}
.facts dd{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.84rem;
 overflow-wrap:anywhere;line-height:1.6}
.empty{border-style:dashed}
figcaption{border-top:1px solid var(--line);padding-top:.65rem}
figcaption:empty{display:none}
figcaption p+p{margin-top:.3rem}
.readout{min-height:1.5em}
.scroll.more{-webkit-mask-image:linear-gradient(90deg,#000 calc(100% - 44px),#0003);
 mask-image:linear-gradient(90deg,#000 calc(100% - 44px),#0003)}
.scroll{overflow-x:auto;scrollbar-width:thin;-webkit-overflow-scrolling:touch}
.split{display:flex;flex-wrap:wrap;gap:1.4rem 2rem}
.split .wide{flex:1 1 440px;min-width:0}
.split .side{flex:1 1 210px;min-width:0}
.split .all{flex-basis:100%}

svg{display:block}
.plot{position:relative}
.plot svg,.map .wide svg{width:100%;height:auto;overflow:visible}
.plot svg{cursor:crosshair;touch-action:pan-y}
text{fill:var(--muted);font-size:12px}
text.end{text-anchor:end}
text.mid{text-anchor:middle}
.rule{stroke:var(--line);stroke-width:1}
.axis{stroke:var(--muted);stroke-width:1}
.curve{fill:none;stroke:var(--c);stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.dashed .curve{stroke-dasharray:7 4}
.dotted .curve{stroke-dasharray:1.5 4}
.faint{opacity:.28;stroke-width:1.4}
.bar{fill:none;stroke:var(--c);stroke-width:1.5}
.mark{fill:var(--c);stroke:var(--card);stroke-width:1}
.cursor{stroke:var(--muted);stroke-width:1;stroke-dasharray:3 3}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;font-size:.86rem}
.legend li{display:flex;align-items:center;gap:.45rem;min-width:0}
.swatch{width:18px;height:12px;flex:none}
.box{width:14px;height:14px;border-radius:3px;flex:none}
.tip{position:absolute;top:0;left:0;pointer-events:none;background:var(--card);border:1px solid var(--line);
 border-radius:8px;padding:.4rem .6rem;font-size:.78rem;line-height:1.45;box-shadow:0 6px 20px #0003;z-index:2;
 max-width:min(300px,100%)}
.tip b{display:block;font-weight:600}
.tip span{display:grid;grid-template-columns:auto minmax(0,1fr) auto;align-items:center;gap:.4rem}
.tip em{font-style:normal;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.tip u{text-decoration:none;white-space:nowrap;font-variant-numeric:tabular-nums;padding-left:.5rem}
.tip i{width:9px;height:9px;border-radius:50%;background:var(--c);flex:none}

table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{padding:.5rem .8rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line);
 font-variant-numeric:tabular-nums;font-weight:400}
thead th{color:var(--muted);font-size:.82rem;vertical-align:bottom;white-space:normal;min-width:5.2rem}
th:first-child{text-align:left;position:sticky;left:0;background:var(--card);padding-left:0;max-width:13rem;
 white-space:normal;min-width:8.4rem}
tfoot>tr>*{color:var(--muted)}
.scroll+figcaption{border:0;padding-top:0}
td b{font-weight:700;color:var(--accent)}
sup{font-size:.7em;line-height:0}
.missing{color:var(--muted)}

.heat{display:flex;position:relative}
.heat svg{flex:none}
.heat .rows{position:sticky;left:0;background:var(--card);z-index:1}
.ground{fill:var(--page)}
.box.left{background:var(--c0)}
.box.right{background:var(--c1)}
rect.hit,.box.hit{fill:var(--accent);background:var(--accent)}
rect.miss,.box.miss{fill:var(--bad);background:var(--bad)}
.heat rect[class]:hover{stroke:var(--ink);stroke-width:2}
.heat .ground:hover{stroke:none!important}
.cell{pointer-events:none;fill:var(--ink);font-size:11px}
.cell.on{fill:var(--on-accent)}
.mistakes{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,250px),1fr));gap:0 2rem}
.mistakes li{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:.8rem;padding:.4rem 0;font-size:.88rem;
 line-height:1.4;border-top:1px solid var(--line)}
.mistakes .num{color:var(--muted)}
.mistakes b{font-weight:600}

.film{display:flex;gap:3px;overflow-x:auto;scrollbar-width:thin}
.film img{height:64px;width:auto;flex:none;display:block;border-radius:4px}
.query{font-weight:600;line-height:1.4}
.query+.sub{margin-top:.15rem}
.hits li{display:grid;grid-template-columns:1.2rem minmax(0,1fr) auto;gap:.15rem .55rem;padding:.42rem 0;font-size:.9rem;
 line-height:1.4;border-top:1px solid var(--line)}
.hits .text{overflow-wrap:anywhere}
.hits .film{margin-top:.3rem}
.hits .film img{height:44px}
.hits .num,.hits .text{color:var(--muted)}
.hits .good .text,.hits .good .num{color:var(--ink);font-weight:600}
.good .sign{color:var(--good);font-weight:700}
.bad .sign{color:var(--bad)}
.meter{width:100%;height:4px;margin-top:.35rem;background:var(--page);border-radius:2px}
.good .meter path{fill:var(--good)}
.bad .meter path{fill:var(--muted);opacity:.55}

.stage{display:flex;flex-wrap:wrap;gap:1rem 1.4rem;align-items:stretch}
.pane{flex:1 1 130px;max-width:340px;position:relative;background:var(--page);border-radius:10px;overflow:hidden;
 display:flex;align-items:center;justify-content:center;min-height:200px}
.pane img{width:100%;height:100%;max-height:340px;object-fit:contain;display:block}
.pane svg{width:100%;height:calc(100% - 2rem);max-height:310px;margin-top:2rem}
.tag{position:absolute;left:.5rem;top:.5rem;font-size:.72rem;line-height:1;padding:.28rem .5rem;border-radius:999px;
 background:var(--card);color:var(--muted)}
.words{flex:2 1 260px;min-width:0}
.words>*+*{margin-top:.6rem}
.pose path{fill:none;stroke:var(--ink);stroke-width:26;stroke-linecap:round;stroke-linejoin:round}
.pose .left{stroke:var(--c0)}
.pose .right{stroke:var(--c1)}
.pose .head{stroke-width:92}
.poses{display:flex;gap:3px}
.poses svg{flex:1 1 0;min-width:0;max-width:110px;height:84px;background:var(--page);border-radius:4px}
.player[data-on]>.film img{opacity:.5}
.player[data-on]>.film img.now{opacity:1}
.player[data-on] .poses{display:none}
.controls{display:flex;align-items:center;flex-wrap:wrap;gap:.5rem .9rem;font-size:.86rem}
.controls button{background:var(--accent);color:var(--on-accent);border:0;border-radius:999px;padding:.34rem 1.1rem;
 min-width:5.4rem;font-weight:600;cursor:pointer}
.controls .seek{flex:1 1 120px;min-width:0}
.controls output{font-variant-numeric:tabular-nums;color:var(--muted);min-width:3.2rem}
.turn{display:flex;align-items:center;gap:.5rem;color:var(--muted)}
.turn input{width:110px}
input[type=range]{accent-color:var(--accent)}

.lane{display:grid;grid-template-columns:8.5rem minmax(0,1fr);gap:.9rem;align-items:center;margin-top:.4rem}
.lane .name{font-size:.86rem;text-align:right;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.lane svg{width:100%;height:34px;border-radius:5px}
rect.truth,.box.truth{fill:var(--ink);background:var(--ink)}
rect.shade,.box.shade{fill:var(--accent);background:var(--accent)}
.box.shade{opacity:.45}
rect.shade{pointer-events:none}
rect.predicted,.box.predicted{fill:var(--bad);background:var(--bad)}
.times{position:relative;height:1.5rem;color:var(--muted);font-size:.78rem;font-variant-numeric:tabular-nums}
.times span{position:absolute;transform:translateX(-50%);white-space:nowrap}
.times span:first-child{transform:none}

.map .star{fill:var(--c);stroke:var(--card);stroke-width:1.5}
.halo{fill:var(--ink);font-size:12px;font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:3.5px;
 stroke-linejoin:round;pointer-events:none}
.map .mark{opacity:.85;stroke-width:.6}
.map g{transition:opacity .15s}
.map[data-only] g{opacity:.1}
.map[data-only] g.only{opacity:1}
.keys{display:grid;grid-template-columns:repeat(auto-fill,minmax(128px,1fr));gap:0 .6rem}
.keys button{display:flex;align-items:center;gap:.4rem;width:100%;background:none;border:0;padding:.2rem .3rem;
 font-size:.84rem;line-height:1.35;text-align:left;cursor:pointer;border-radius:6px;overflow-wrap:anywhere}
.keys button:hover,.keys button[aria-pressed=true]{background:var(--page)}

@media (max-width:560px){
 text{font-size:14px}
 .halo{font-size:14px}
 .heat text{font-size:12px}
 .cell{font-size:11px!important}
 .card{padding:1rem}
 section+section{margin-top:3.2rem}
 .headlines{grid-template-columns:1fr 1fr}
 .headlines .value{font-size:1.5rem}
 .headlines .card:last-child:nth-child(odd){grid-column:1/-1}
 .facts>div{grid-template-columns:5rem minmax(0,1fr)}
 .lane{grid-template-columns:minmax(0,1fr);gap:.15rem;margin-top:.7rem}
 .lane .name{text-align:left}
 th:first-child{max-width:8.6rem;min-width:7.4rem}
 th,td{padding:.5rem .6rem}
}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}.map g{transition:none}}
@media print{
 .top,.controls,.readout{display:none!important}
 body{display:block;background:#fff}
 .card{break-inside:avoid}
 .player[data-on] .poses{display:flex}
 .player[data-on]>.film img{opacity:1}
}
)css";

inline std::string page_css() {
  const std::string light = theme_css(kLight), dark = theme_css(kDark);
  std::string s = ":root{color-scheme:light;" + light +
                  "}@media (prefers-color-scheme:dark){:root:not([data-theme=light])" +
                  "{color-scheme:dark;" + dark + "}}:root[data-theme=dark]{color-scheme:dark;" + dark + "}";
  for (int i = 0; i < kColours; ++i)
    s += "." + colour_class(static_cast<std::size_t>(i)) + "{--c:var(--c" + std::to_string(i) + ")}";
  return s + std::string(kStyle);
}

}  // namespace report::detail
TMOR_END
