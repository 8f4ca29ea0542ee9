#pragma once
/// @file skeleton_view.hpp
/// A clip of skeletons that moves (play, pause, a slider; turned by another where it has depth), beside the
/// frames of its video, what it is said to be and what was predicted. Without scripts and on paper: a strip
/// of poses and of frames.

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "tmor/report/ranked.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN
namespace report {

/// Which way is up in the coordinates.
enum class Up {
  kAuto,    ///< two coordinates: kMinusY; three: kPlusY
  kPlusY,   ///< Kinect, most motion capture
  kMinusY,  ///< images, cameras that look along z
  kPlusZ,   ///< worlds with a ground plane of x and y
};

struct SkeletonClip {
  std::string title = {};
  std::string caption = {};  ///< what it is said to be
  std::string truth = {};
  SkeletonSequence skeleton = {};
  std::vector<Picture> frames = {};   ///< evenly spaced over the time of the skeleton; none: no video
  std::vector<Hit> predictions = {};  ///< best first; none: not shown
  Up up = Up::kAuto;
  double turned = 25;  ///< degrees about the vertical, with three coordinates
};

/// Most moments of a clip and most frames that go into a page; of more, evenly spaced ones.
inline constexpr Index kMaxMoments = 90, kMaxFilm = 16;

namespace detail {

/// A clip ready to draw: right, up and towards the viewer, whole numbers of about [-480, 480].
struct Poses {
  Index moments = 0, persons = 0, joints = 0;
  bool depth = false;
  double fps = 0, half_width = 0, half_height = 0;
  std::vector<std::array<int, 3>> at;  ///< (moments, persons, joints)
  std::vector<bool> known;
  std::vector<std::array<Index, 3>> bones;    ///< child, parent, side: 0 middle, 1 left, 2 right
  std::vector<std::array<Index, 2>> middles;  ///< joints whose middle is one more joint; -1: there is none
  Index head = -1;

  std::size_t place(Index moment, Index person, Index joint) const {
    return static_cast<std::size_t>((moment * persons + person) * joints + joint);
  }
};

inline std::array<double, 3> right_up_near(const float* p, Index channels, Up up) {
  const double x = p[0], y = p[1], z = channels == 3 ? p[2] : 0;
  if (up == Up::kAuto) up = channels == 3 ? Up::kPlusY : Up::kMinusY;
  if (up == Up::kPlusY) return {x, y, z};
  if (up == Up::kMinusY) return {x, -y, -z};
  return {x, z, -y};
}

inline Index evenly(Index i, Index count, Index of) { return count <= 1 ? 0 : i * (of - 1) / (count - 1); }

/// The bones of a figure that looks like a person in every layout: a spine between the middles of shoulders
/// and hips where the layout hangs the hips on the shoulders and these on the head, and no lines inside the
/// head. The two middles follow the layout's joints in the arrays.
inline void choose_bones(const JointLayout& layout, Poses& p) {
  const auto named = [&](Index j) { return std::string_view(layout.joints[static_cast<std::size_t>(j)]); };
  const auto is = [&](Index j, std::string_view what) { return named(j).ends_with(what); };
  const auto side = [&](Index j) {
    return Index{named(j).starts_with("left_") ? 1 : named(j).starts_with("right_") ? 2 : 0};
  };
  const auto middle_of = [&](std::string_view left, std::string_view right) {
    p.middles.push_back({layout.find(left), layout.find(right)});
    const auto& m = p.middles.back();
    return m[0] >= 0 && m[1] >= 0 ? layout.size() + std::ssize(p.middles) - 1 : Index{-1};
  };
  p.head = layout.find("head") >= 0 ? layout.find("head") : layout.find("nose");
  Index neck = std::max(layout.find("neck"), layout.find("shoulder_center")), pelvis = layout.find("pelvis");
  const Index made_neck = middle_of("left_shoulder", "right_shoulder"),
              made_pelvis = middle_of("left_hip", "right_hip");
  const bool no_neck = neck < 0 && made_neck >= 0, no_pelvis = pelvis < 0 && made_pelvis >= 0;
  if (no_neck) neck = made_neck;
  if (no_pelvis) pelvis = made_pelvis;
  for (const auto& [child, parent] : layout.bones()) {
    if (p.head >= 0 && (is(child, "eye") || is(child, "ear"))) continue;
    if (no_neck && is(child, "shoulder") && parent == p.head) {
      p.bones.push_back({child, neck, side(child)});
    } else if (no_pelvis && is(child, "hip")) {
      p.bones.push_back({child, pelvis, side(child)});
    } else {
      p.bones.push_back({child, parent, side(child)});
    }
  }
  if (no_neck && p.head >= 0) p.bones.push_back({p.head, neck, 0});
  if (no_pelvis && neck >= 0) p.bones.push_back({pelvis, neck, 0});
}

/// @throws Error as SkeletonSequence::check.
inline Poses make_poses(const SkeletonSequence& s, Up up) {
  s.check("[skeleton_view]");
  Poses out;
  choose_bones(*s.layout, out);
  out.moments = std::min(s.frames, kMaxMoments);
  out.persons = s.persons, out.joints = s.joints + std::ssize(out.middles), out.depth = s.channels == 3;
  out.fps = (s.fps > 0 ? static_cast<double>(s.fps) : 25.0) * static_cast<double>(out.moments) /
            static_cast<double>(s.frames);
  const std::size_t n = static_cast<std::size_t>(out.moments * out.persons * out.joints);
  std::vector<std::array<double, 3>> raw(n);
  out.known.resize(n);
  std::array<double, 3> low{}, high{};
  bool any = false;
  for (Index t = 0; t < out.moments; ++t)
    for (Index m = 0; m < s.persons; ++m) {
      for (Index v = 0; v < s.joints; ++v) {
        const Index from = evenly(t, out.moments, s.frames);
        const std::size_t i = out.place(t, m, v);
        if (*s.state(m, from, v) == kMissing) continue;
        out.known[i] = true;
        raw[i] = right_up_near(s.point(m, from, v), s.channels, up);
        for (std::size_t k = 0; k < 3; ++k) {
          low[k] = any ? std::min(low[k], raw[i][k]) : raw[i][k];
          high[k] = any ? std::max(high[k], raw[i][k]) : raw[i][k];
        }
        any = true;
      }
      for (std::size_t k = 0; k < out.middles.size(); ++k) {
        const auto& [left, right] = out.middles[k];
        if (left < 0 || right < 0) continue;
        const std::size_t a = out.place(t, m, left), b = out.place(t, m, right),
                          i = out.place(t, m, s.joints + static_cast<Index>(k));
        out.known[i] = out.known[a] && out.known[b];
        if (out.known[i])
          for (std::size_t c = 0; c < 3; ++c) raw[i][c] = raw[a][c] / 2 + raw[b][c] / 2;
      }
    }
  const auto middle = [&](std::size_t k) { return low[k] / 2 + high[k] / 2; };
  double width = 0, height = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!out.known[i]) continue;
    width = std::max(width, std::hypot(raw[i][0] - middle(0), out.depth ? raw[i][2] - middle(2) : 0.0));
    height = std::max(height, std::abs(raw[i][1] - middle(1)));
  }
  const double largest = std::max(width, height), scale = largest > 0 ? 480 / largest : 0;
  out.at.resize(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < 3; ++k)
      out.at[i][k] = out.known[i] ? static_cast<int>(std::lround((raw[i][k] - middle(k)) * scale)) : 0;
  out.half_width = std::max(160.0, width * scale) + 50;
  out.half_height = std::max(160.0, height * scale) + 50;
  return out;
}

/// The pose of one moment; the script draws the same.
inline std::string pose_svg(const Poses& p, Index moment, double degrees) {
  const double a = p.depth ? degrees * 3.141592653589793 / 180 : 0, c = std::cos(a), s = std::sin(a);
  std::array<std::string, 4> paths;
  const auto spot = [&](Index person, Index joint) {
    const auto& at = p.at[p.place(moment, person, joint)];
    return cat(fixed(at[0] * c + at[2] * s, 0), " ", -at[1]);
  };
  for (Index m = 0; m < p.persons; ++m) {
    for (const auto& [child, parent, side] : p.bones)
      if (p.known[p.place(moment, m, child)] && p.known[p.place(moment, m, parent)])
        paths[static_cast<std::size_t>(side)] += cat("M", spot(m, child), "L", spot(m, parent));
    if (p.head >= 0 && p.known[p.place(moment, m, p.head)]) paths[3] += cat("M", spot(m, p.head), "h0");
  }
  return cat("<svg class=\"pose\" viewBox=\"", fixed(-p.half_width, 0), " ", fixed(-p.half_height, 0), " ",
             fixed(2 * p.half_width, 0), " ", fixed(2 * p.half_height, 0),
             "\" role=\"img\" aria-label=\"skeleton\"><path class=\"middle\" d=\"", paths[0],
             "\"/><path class=\"left\" d=\"", paths[1], "\"/><path class=\"right\" d=\"", paths[2],
             "\"/><path class=\"head\" d=\"", paths[3], "\"/></svg>");
}

inline io::Json pose_data(const Poses& p, double degrees) {
  io::Json points = io::Json::array(), bones = io::Json::array();
  for (std::size_t i = 0; i < p.at.size(); ++i) {
    for (std::size_t k = 0; k < (p.depth ? 3u : 2u); ++k)
      points.push_back(p.known[i] ? io::Json(p.at[i][k]) : io::Json(nullptr));
  }
  for (const auto& b : p.bones) bones.push_back({b[0], b[1], b[2]});
  return {{"moments", p.moments},      {"persons", p.persons}, {"joints", p.joints},
          {"depth", p.depth},          {"fps", p.fps},         {"head", p.head},
          {"bones", std::move(bones)}, {"turned", degrees},    {"points", std::move(points)}};
}

}  // namespace detail

/// The clip as a figure. Without frames in the skeleton it says so. @throws Error for a sequence that does
/// not pass its `check`.
inline Html skeleton_view(const SkeletonClip& clip) {
  using detail::cat;
  if (clip.skeleton.frames == 0) return detail::empty_figure(clip.title, "There is no skeleton to show.");
  const detail::Poses poses = detail::make_poses(clip.skeleton, clip.up);
  std::vector<Picture> frames;
  const Index film = std::min(std::ssize(clip.frames), kMaxFilm);
  for (Index i = 0; i < film; ++i)
    frames.push_back(clip.frames[static_cast<std::size_t>(detail::evenly(i, film, std::ssize(clip.frames)))]);

  std::string s = cat("<figure class=\"card player\" data-player>", detail::caption(clip.title, "").text,
                      "<div class=\"stage\">");
  if (film > 0)
    s += cat("<div class=\"pane\">", picture(frames[0], "frame").text,
             "<span class=\"tag\">video</span></div>");
  s += cat("<div class=\"pane\">", detail::pose_svg(poses, 0, clip.turned),
           "<span class=\"tag\">skeleton</span></div>");
  if (!clip.caption.empty() || !clip.truth.empty() || !clip.predictions.empty()) {
    s += "<div class=\"words\">";
    if (!clip.caption.empty()) s += cat("<p class=\"query\">", escape(clip.caption), "</p>");
    if (!clip.truth.empty()) s += cat("<p class=\"sub\">Truth: ", escape(clip.truth), "</p>");
    if (!clip.predictions.empty()) s += detail::hit_list(clip.predictions);
    s += "</div>";
  }
  s += cat("</div><div class=\"controls\" hidden><button type=\"button\" class=\"play\">Pause</button>",
           "<input type=\"range\" class=\"seek\" min=\"0\" max=\"", poses.moments - 1,
           "\" value=\"0\" aria-label=\"moment\"><output>0.0 s</output>");
  if (poses.depth)
    s += cat("<label class=\"turn\">turn <input type=\"range\" min=\"-180\" max=\"180\" value=\"",
             detail::fixed(clip.turned, 0), "\"></label>");
  s += "</div>" + detail::film(frames) + "<div class=\"poses\">";
  const Index strip = std::min<Index>(6, poses.moments);
  for (Index i = 0; i < strip; ++i)
    s += detail::pose_svg(poses, detail::evenly(i, strip, poses.moments), clip.turned);
  s += "</div><ul class=\"legend\"><li><i class=\"box left\"></i>left</li><li><i class=\"box "
       "right\"></i>right</li></ul>";
  return {s + script_data(detail::pose_data(poses, clip.turned)).text + "</figure>"};
}

}  // namespace report
TMOR_END
