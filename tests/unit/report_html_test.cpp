// Text that gets into a page, its numbers and its colours.
#include <doctest/doctest.h>

#include <array>
#include <limits>

#include "../support/files.hpp"
#include "tmor/report/axis.hpp"
#include "tmor/report/html.hpp"
#include "tmor/report/palette.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {
const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInfinity = std::numeric_limits<double>::infinity();
}  // namespace

TEST_CASE("foreign text cannot become markup") {
  CHECK(report::escape("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;&#39;");
  CHECK(report::escape("héé 人 ✓\n\t") == "héé 人 ✓\n\t");
  CHECK(report::escape(std::string_view("a\0b\x1b", 4)) ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
  // Cut short, overlong, a surrogate, beyond the last character, a lone continuation.
  for (const char* bad : {"\xE4\xBA", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xE0\x80\x80"})
    CHECK(contains(report::clean_utf8(bad), "\xEF\xBF\xBD"));
  CHECK(report::clean_utf8("\xF0\x9F\x98\x80") == "\xF0\x9F\x98\x80");

  const auto script = report::script_data({{"a", "</script><!--&"}, {"b", kNan}}).text;
  CHECK(script ==
        "<script "
        "type=\"application/json\">{\"a\":\"\\u003c/script\\u003e\\u003c!--\\u0026\",\"b\":null}</script>");
}

TEST_CASE("text is shortened by characters, not bytes") {
  CHECK(report::shorten("héllo", 5) == "héllo");
  CHECK(report::shorten("héllo!", 5) == "héll…");
  CHECK(report::shorten("", 5) == "");
  CHECK(report::character_count("人人人") == 3);
}

TEST_CASE("base64 as in RFC 4648") {
  const char* pairs[][2] = {{"", ""},
                            {"f", "Zg=="},
                            {"fo", "Zm8="},
                            {"foo", "Zm9v"},
                            {"foob", "Zm9vYg=="},
                            {"fooba", "Zm9vYmE="},
                            {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : pairs) CHECK(report::base64(plain) == coded);
  CHECK(report::base64("\xff\xfe\xfd") == "//79");
}

TEST_CASE("a picture goes in as a data URI of an allowed type") {
  CHECK(report::picture({"foo", "image/png", "a \"b\""}, "c").text ==
        "<img class=\"c\" alt=\"a &quot;b&quot;\" src=\"data:image/png;base64,Zm9v\">");
  CHECK(contains(message<Error>([] { report::picture({"foo", "image/svg+xml", ""}); }), "image/svg+xml"));
  CHECK(contains(message<Error>([] { report::picture({"", "image/png", ""}); }), "without bytes"));
}

TEST_CASE("numbers as people read them") {
  CHECK(report::number_text(0) == "0.000");
  CHECK(report::number_text(0.1234) == "0.123");
  CHECK(report::number_text(-45.67) == "-45.7");
  CHECK(report::number_text(1234.5) == "1234");
  CHECK(report::number_text(2.5e-5) == "2.5e-05");
  CHECK(report::number_text(kNan) == "–");
  CHECK(report::percent_text(0.12345) == "12.3 %");
  CHECK(report::percent_text(-kInfinity) == "–");
  CHECK(report::detail::px(-0.01) == "0");
  CHECK(report::detail::px(3.25) == "3.2");
}

TEST_CASE("axes: ranges, round ticks, labels") {
  using V = std::vector<double>;
  using L = std::vector<std::string>;
  const auto scale = [](const report::Axis& a, const V& v) { return report::make_scale(a, v); };
  const auto linear = scale({}, {0, 10, kNan, kInfinity});
  CHECK(linear.ticks == V{0, 2, 4, 6, 8, 10});
  CHECK(linear.place(5) == doctest::Approx(0.5));
  CHECK(scale({}, {0.1, 0.35}).labels == L{"0.10", "0.15", "0.20", "0.25", "0.30", "0.35"});
  CHECK(scale({}, {0, 60000}).labels == L{"0", "10k", "20k", "30k", "40k", "50k", "60k"});
  CHECK(scale({.percent = true}, {0, 0.4}).labels == L{"0 %", "10 %", "20 %", "30 %", "40 %"});
  CHECK(scale({.log = true}, {0.001, 100, -1, 0}).ticks.size() == 6);
  CHECK(scale({.log = true}, {12, 40}).labels.size() >= 2);
  CHECK(scale({.log = true, .ticks = {1, 2, 4, 8}}, {2, 4}).labels == L{"1", "2", "4", "8"});
  CHECK(scale({.log = true, .ticks = {1, 2, 4, 8}}, {2, 4}).place(4) == doctest::Approx(2.0 / 3));
  // One value, no value, values that are almost equal or very far apart: always a range, always some ticks.
  for (const V& v : {V{3}, V{0}, V{}, V{1e-300, 2e-300}, V{-1e99, 1e99}, V{5, 5 + 1e-14}, V{kNan}})
    for (const bool log : {false, true}) {
      const auto s = scale({.log = log}, v);
      CHECK(s.low < s.high);
      CHECK(s.ticks.size() >= 1);
      CHECK(s.ticks.size() < 50);
      CHECK(is_finite(s.place(s.low)));
    }
}

namespace {

std::array<double, 3> linear_rgb(std::string_view hex) {
  std::array<double, 3> out{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double v = std::stoi(std::string(hex.substr(1 + 2 * i, 2)), nullptr, 16) / 255.0;
    out[i] = v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  }
  return out;
}

/// Contrast of WCAG 2: 1 to 21.
double contrast(std::string_view a, std::string_view b) {
  const auto luminance = [](std::string_view hex) {
    const auto c = linear_rgb(hex);
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
  };
  const double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
  return std::max(x, y) / std::min(x, y);
}

using Matrix = std::array<std::array<double, 3>, 3>;
std::array<double, 3> times(const Matrix& m, const std::array<double, 3>& v) {
  std::array<double, 3> out{};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t k = 0; k < 3; ++k) out[i] += m[i][k] * v[k];
  return out;
}

/// Distance in OKLab (Ottosson, 2020) of two colours as seen through `eye`.
double distance(std::string_view a, std::string_view b, const Matrix& eye) {
  const Matrix to_lms = {{{.4122214708, .5363325363, .0514459929},
                          {.2119034982, .6806995451, .1073969566},
                          {.0883024619, .2817188376, .6299787005}}};
  const Matrix to_lab = {{{.2104542553, .7936177850, -.0040720468},
                          {1.9779984951, -2.4285922050, .4505937099},
                          {.0259040371, .7827717662, -.8086757660}}};
  const auto lab = [&](std::string_view hex) {
    auto seen = times(eye, linear_rgb(hex));
    for (double& v : seen) v = std::clamp(v, 0.0, 1.0);
    auto lms = times(to_lms, seen);
    for (double& v : lms) v = std::cbrt(v);
    return times(to_lab, lms);
  };
  const auto p = lab(a), q = lab(b);
  return std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

}  // namespace

TEST_CASE("colours stand out from what is behind them, and from one another for all kinds of eyes") {
  // Full protanopia and deuteranopia by Machado, Oliveira and Fernandes, "A physiologically-based model for
  // simulation of color vision deficiency", 2009.
  const Matrix eyes[] = {
      {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
      {{{.152286, 1.052583, -.204868}, {.114503, .786281, .099216}, {-.003882, -.048116, 1.051998}}},
      {{{.367322, .860646, -.227968}, {.280085, .672501, .047413}, {-.011820, .042940, .968881}}}};
  for (const auto& t : {report::kLight, report::kDark}) {
    for (const auto back : {t.card, t.page}) {
      for (const auto text : {t.ink, t.muted, t.accent, t.good, t.bad}) CHECK(contrast(text, back) >= 4.5);
      for (const auto c : t.series) CHECK(contrast(c, back) >= 3);
    }
    CHECK(contrast(t.on_accent, t.accent) >= 4.5);
    CHECK(contrast(t.on_accent, t.bad) >= 4.5);
    for (const Matrix& eye : eyes)
      for (int i = 0; i < report::kColours; ++i)
        for (int j = 0; j < i; ++j) {
          CAPTURE(t.series[i]);
          CAPTURE(t.series[j]);
          CHECK(distance(t.series[i], t.series[j], eye) >= 0.08);
        }
  }
}
