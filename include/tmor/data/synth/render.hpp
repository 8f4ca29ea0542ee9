#pragma once
/// @file render.hpp
/// The scene of a clip: a clothed body, what it holds and sits on, a room behind it, things before it.

#include <algorithm>
#include <vector>

#include "tmor/data/synth/picture.hpp"

TMOR_BEGIN
namespace data::synth {

/// What the pictures of a clip show.
class Scene {
 public:
  Scene(const Script& script, const View& view, Index width, Index height, Rng rng)
      : script_(&script),
        view_(&view),
        width_(width),
        height_(height),
        margin_(static_cast<Index>(std::ceil(view.camera.shake)) + 1) {
    film_.grain = rng.bits();
    draw_clothes(rng);
    draw_room(rng);
    for (std::size_t i = 0; i < view.occluders.size(); ++i)
      covers_.emplace_back(view.occluders[i], draw_colour(rng, .15, .7), width, height);
  }

  /// What is drawn at t seconds, when the body's joints are at `j`.
  Picture picture(const Joints& j, float t) const {
    float dx, dy;
    view_->camera.displacement(t, dx, dy);
    Picture p{room_, std::lround(dx), std::lround(dy), shadow(j, dx, dy), {}, covers_, film_};
    p.film.frame = static_cast<std::uint64_t>(std::lround(t * 1000));
    std::vector<Capsule> parts = body(j);
    add_things(parts, j, t);
    std::sort(parts.begin(), parts.end(),
              [](const Capsule& a, const Capsule& b) { return a.a.z + a.b.z < b.a.z + b.b.z; });
    for (const Capsule& part : parts)
      p.strokes.emplace_back(part, view_->camera, dx, dy, light_, width_, height_);
    return p;
  }

  /// The room and its margin, once for all pictures of the clip on the CPU: draw(picture, room(), margin()).
  Canvas room() const { return synth::draw_room(room_, width_, height_, margin_); }
  Index margin() const { return margin_; }

 private:
  static Colour draw_colour(Rng& rng, double low, double high) {
    const float r = detail::draw(rng, low, high), g = detail::draw(rng, low, high);
    return {r, g, detail::draw(rng, low, high)};
  }

  void draw_clothes(Rng& rng) {
    const float tone = detail::draw(rng, .3, 1);
    skin_ = tone * Colour{.95f, .76f, .62f};
    hair_ = detail::draw(rng, .05, .5) * Colour{1, .75f, .5f};
    shirt_ = draw_colour(rng, .1, .95);
    trousers_ = draw_colour(rng, .08, .7);
    shoes_ = draw_colour(rng, .05, .5);
    thing_ = draw_colour(rng, .1, .9);
    seat_ = detail::draw(rng, .3, .8) * Colour{.8f, .6f, .4f};
    sleeves_ = rng.bernoulli(.5);
    shorts_ = rng.bernoulli(.3);
    light_ = unit({detail::draw(rng, -.8, .8), detail::draw(rng, .3, 1), detail::draw(rng, .3, 1)});
    film_.gain = detail::draw(rng, .75, 1.15);
    film_.noise = detail::draw(rng, 0, .05);
  }

  void draw_room(Rng& rng) {
    const Camera& c = view_->camera;
    Room& r = room_;
    r.eye = c.at, r.axes = c.axes, r.focal = c.focal, r.cx = c.cx, r.cy = c.cy;
    r.low = draw_colour(rng, .35, .85), r.high = between(r.low, draw_colour(rng, .4, .95), .5f);
    r.ground = draw_colour(rng, .25, .7);
    r.tile = detail::draw(rng, .4, 1), r.contrast = rng.bernoulli(.6) ? detail::draw(rng, .1, .35) : 0.f;
    r.pattern = rng.uniform_int(4);
    r.period = detail::draw(rng, .3, .9), r.strength = detail::draw(rng, .05, .2);
    r.wall = -detail::draw(rng, 1.2, 3);
  }

  Capsule part(Vec3 a, Vec3 b, float ra, float rb, Colour colour) const {
    const float h = script_->body.height;
    return {
        view_->camera.to_camera(a), view_->camera.to_camera(b), ra * h, rb * h, colour, false, {}, {}, {}};
  }

  std::vector<Capsule> body(const Joints& j) const {
    const float g = script_->body.girth;
    std::vector<Capsule> out;
    out.reserve(32);
    const Vec3 sl = j[sided(kShoulder, 0)], sr = j[sided(kShoulder, 1)];
    const Vec3 hl = j[sided(kHip, 0)], hr = j[sided(kHip, 1)];
    const auto add = [&](Vec3 a, Vec3 b, float ra, float rb, Colour c) {
      out.push_back(part(a, b, ra, rb, c));
    };
    add(between(sl, sr, .12f), between(sl, sr, .88f), .04f, .04f, shirt_);
    add(between(sl, j[kNeck], .35f), between(hl, j[kPelvis], .3f), .05f * g, .05f * g, shirt_);
    add(between(sr, j[kNeck], .35f), between(hr, j[kPelvis], .3f), .05f * g, .05f * g, shirt_);
    add(j[kChest], j[kNeck], .062f * g, .04f, shirt_);
    add(hl, hr, .055f * g, .055f * g, trousers_);
    add(j[kNeck], between(j[kNeck], j[kHead], .6f), .03f, .028f, skin_);
    Capsule head =
        part(between(j[kNeck], j[kHead], .85f), between(j[kNeck], j[kHead], 1.15f), .045f, .055f, skin_);
    head.head = true, head.hair = hair_;
    const auto direction = [&](Vec3 d) {
      return unit(view_->camera.to_camera(d) - view_->camera.to_camera({}));
    };
    head.face = direction(j[kNose] - j[kHead]);
    head.crown = direction(j[kHead] - j[kNeck]);
    out.push_back(head);
    for (int s = 0; s < 2; ++s) {
      const Colour arm = sleeves_ ? shirt_ : skin_, leg = shorts_ ? skin_ : trousers_;
      const Vec3 elbow = j[sided(kElbow, s)], wrist = j[sided(kWrist, s)];
      add(j[sided(kShoulder, s)], elbow, .033f * g, .027f * g, shirt_);
      add(elbow, wrist, .026f * g, .02f, arm);
      add(wrist, between(wrist, j[sided(kHandTip, s)], .8f), .021f, .019f, skin_);
      const Vec3 knee = j[sided(kKnee, s)], ankle = j[sided(kAnkle, s)];
      add(j[sided(kHip, s)], knee, .05f * g, .036f * g, trousers_);
      add(knee, ankle, .034f * g, .024f, leg);
      const Vec3 toe = j[sided(kFoot, s)];
      add(between(ankle, toe, -.2f), toe, .027f, .02f, shoes_);
    }
    return out;
  }

  /// What is held, and the seat.
  void add_things(std::vector<Capsule>& out, const Joints& j, float t) const {
    for (const Event& e : script_->events) {
      const Action a = e.style.action;
      for (int s = 0; s < 2; ++s) {
        if (!e.style.uses(s)) continue;
        const Vec3 hand = j[sided(kHand, s)], along = unit(hand - j[sided(kWrist, s)]);
        const Vec3 thumb = unit(j[sided(kThumb, s)] - hand);
        if (a == Action::kDrink) out.push_back(part(hand, hand + .09f * thumb, .022f, .026f, thing_));
        if (a == Action::kAnswerPhone)
          out.push_back(part(hand, hand + .1f * along, .016f, .016f, .5f * thing_));
        if (a == Action::kStir) out.push_back(part(hand, hand + Vec3{0, -.28f, 0}, .009f, .012f, thing_));
        if (a == Action::kSaw) out.push_back(part(hand, hand + .5f * along, .014f, .014f, thing_));
        const float held = (t - e.begin) / (e.end - e.begin) * static_cast<float>(e.style.count);
        if (a == Action::kThrow &&
            (held < 0 || (held < static_cast<float>(e.style.count) && detail::fraction(held) < .48f)))
          out.push_back(part(hand, hand + .03f * along, .035f, .035f, thing_));
        if (a == Action::kPickUp && held > .37f)
          out.push_back(part(hand, hand + .05f * along, .045f, .045f, thing_));
      }
    }
    if (!script_->sits()) return;
    Place at = script_->place;
    if (script_->start != Posture::kSitting)
      for (const Script::Change& c : script_->changes) {
        if (c.to != Posture::kSitting) continue;
        for (const Event& e : script_->events)
          if (e.end <= c.begin + 1e-3f) at = detail::place_at(e, script_->body.leg(), e.end);
        break;
      }
    const BodyShape& b = script_->body;
    const Pose& sitting = script_->resting[static_cast<int>(Posture::kSitting)];
    const Axes root = Axes{}.turned(at.yaw, 0, 0);
    const Vec3 middle = Vec3{at.x, 0, at.z} + root * Vec3{0, 0, (sitting[kShiftZ] - .06f) * b.leg()};
    const float top = b.ankle + (.985f - sitting[kDown]) * b.leg() - .1f * b.height;
    for (int s = -1; s <= 1; s += 2) {
      const Vec3 side = middle + root * Vec3{.1f * static_cast<float>(s) * b.height, 0, 0};
      out.push_back(
          part(side + root * Vec3{0, top, -.14f}, side + root * Vec3{0, top, .14f}, .045f, .045f, seat_));
      for (int z = -1; z <= 1; z += 2) {
        const Vec3 foot = side + root * Vec3{0, 0, .16f * static_cast<float>(z)};
        out.push_back(part(foot + Vec3{0, top, 0}, foot, .018f, .018f, seat_));
      }
    }
  }

  /// Under the body.
  Shadow shadow(const Joints& j, float dx, float dy) const {
    const Camera& c = view_->camera;
    Vec3 low = j[0], high = j[0];
    for (const Joint k : {kAnkle, kFoot, kHip, kShoulder})
      for (int s = 0; s < 2; ++s) {
        const Vec3 p = j[sided(k, s)];
        low = {std::min(low.x, p.x), 0, std::min(low.z, p.z)};
        high = {std::max(high.x, p.x), 0, std::max(high.z, p.z)};
      }
    const Vec3 middle = between(low, high, .5f), half = between(low, high, .5f) - low + Vec3{.12f, 0, .12f};
    const Vec3 seen = c.to_camera(middle);
    Shadow out;
    if (seen.z > -.3f) return out;
    c.project(seen, out.x, out.y);
    out.x += dx, out.y += dy;
    const float scale = c.focal / -seen.z;
    out.rx = std::max(1.f, scale * std::sqrt(half.x * half.x * c.axes.x.x * c.axes.x.x +
                                             half.z * half.z * c.axes.x.z * c.axes.x.z));
    out.ry = std::max(1.f, scale * std::max(std::abs(c.axes.z.y), .12f) * std::max(half.x, half.z));
    return out;
  }

  const Script* script_;
  const View* view_;
  Index width_, height_, margin_;
  Room room_;
  Film film_{};
  Colour skin_, hair_, shirt_, trousers_, shoes_, thing_, seat_;
  bool sleeves_ = false, shorts_ = false;
  Vec3 light_;
  std::vector<Cover> covers_;
};

}  // namespace data::synth
TMOR_END
