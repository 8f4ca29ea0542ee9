#pragma once
/// @file layout.hpp
/// Joint layouts: which joint stands at which place of a skeleton array, who is the left and who the right
/// one of a pair, and the tree of bones.
///
/// Canonical joint names: `head nose neck chest pelvis shoulder_center`, and with `left_` or `right_` before
/// them `eye ear shoulder elbow wrist hand hand_tip thumb hip knee ankle foot`. Layouts may hold other names
/// too; only canonical ones take part in the rules of joint_map.hpp.

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/core/suggest.hpp"
#include "tmor/skeleton/layouts.hpp"

TMOR_BEGIN

/// A layout in use. Made by `joint_layout` or `make_layout`, which check it; immutable and shared afterwards.
struct JointLayout {
  std::string name;
  std::vector<std::string> joints;  ///< unique names, in array order
  std::vector<Index> parent;        ///< parent[j] is nearer to the root; the root is its own parent
  std::vector<Index> mirror;        ///< the partner of a left/right pair, or j itself
  Index root = 0;

  /// Number of joints V.
  Index size() const { return static_cast<Index>(joints.size()); }

  /// Place of a joint, -1 if the layout does not have it.
  Index find(std::string_view joint) const {
    const auto it = std::find(joints.begin(), joints.end(), joint);
    return it == joints.end() ? -1 : static_cast<Index>(it - joints.begin());
  }

  /// Place of a joint; throws Error with the nearest name if the layout does not have it.
  Index at(std::string_view joint) const {
    const Index j = find(joint);
    TMOR_CHECK(j >= 0, "layout ", name, ": no joint '", joint.substr(0, 64), "'; did you mean '",
               nearest_name(joint, joints), "'?");
    return j;
  }

  /// The V-1 bones as (child, parent), by child.
  std::vector<std::pair<Index, Index>> bones() const {
    std::vector<std::pair<Index, Index>> out;
    for (Index j = 0; j < size(); ++j)
      if (j != root) out.emplace_back(j, parent[static_cast<std::size_t>(j)]);
    return out;
  }

  /// The (left, right) pairs, by the left joint.
  std::vector<std::pair<Index, Index>> pairs() const {
    std::vector<std::pair<Index, Index>> out;
    for (Index j = 0; j < size(); ++j)
      if (joints[static_cast<std::size_t>(j)].starts_with("left_"))
        out.emplace_back(j, mirror[static_cast<std::size_t>(j)]);
    return out;
  }
};

using LayoutPtr = std::shared_ptr<const JointLayout>;

/// What a user writes to describe a layout (one entry a joint, in array order).
struct LayoutSpec {
  struct Joint {
    std::string name;
    std::string parent;  ///< empty for the root
  };
  std::string name;
  std::vector<Joint> joints;
};

/// Most joints a layout may have.
inline constexpr Index kMaxJoints = 1024;

namespace detail {

inline Index find_mirror(const JointLayout& l, Index j) {
  constexpr std::string_view kLeft = "left_", kRight = "right_";
  const std::string& name = l.joints[static_cast<std::size_t>(j)];
  const bool left = name.starts_with(kLeft), right = name.starts_with(kRight);
  if (!left && !right) return j;
  const std::string other =
      left ? cat(kRight, name.substr(kLeft.size())) : cat(kLeft, name.substr(kRight.size()));
  const Index partner = l.find(other);
  TMOR_CHECK(partner >= 0, "layout ", l.name, ": joint '", name, "' has no partner '", other, "'");
  return partner;
}

/// Every joint must reach the root; a cycle never does.
inline void check_tree(const JointLayout& l) {
  for (Index j = 0; j < l.size(); ++j) {
    Index at = j;
    for (Index steps = 0; at != l.root && steps < l.size(); ++steps)
      at = l.parent[static_cast<std::size_t>(at)];
    TMOR_CHECK(at == l.root, "layout ", l.name, ": the parents of joint '",
               l.joints[static_cast<std::size_t>(j)], "' form a cycle");
  }
}

}  // namespace detail

/// Checks a description and makes the layout. Pairs come from the names: `left_x` and `right_x`. Throws Error
/// for no joints or more than kMaxJoints, empty or repeated names, unknown parents, no or several roots,
/// cycles, and a left joint without its right one.
inline LayoutPtr make_layout(const LayoutSpec& spec) {
  TMOR_CHECK(!spec.name.empty(), "layout: the name is empty");
  const Index count = static_cast<Index>(spec.joints.size());
  TMOR_CHECK(count >= 1 && count <= kMaxJoints, "layout ", spec.name, ": ", count, " joints, want 1 to ",
             kMaxJoints);
  auto l = std::make_shared<JointLayout>();
  l->name = spec.name;
  for (const auto& j : spec.joints) {
    TMOR_CHECK(!j.name.empty(), "layout ", spec.name, ": joint ", l->size(), " has an empty name");
    TMOR_CHECK(l->find(j.name) < 0, "layout ", spec.name, ": joint '", j.name, "' appears twice");
    l->joints.push_back(j.name);
  }
  l->root = -1;
  for (Index j = 0; j < count; ++j) {
    const std::string& parent = spec.joints[static_cast<std::size_t>(j)].parent;
    if (parent.empty()) {
      TMOR_CHECK(l->root < 0, "layout ", spec.name, ": two roots, '",
                 l->joints[static_cast<std::size_t>(l->root)], "' and '",
                 l->joints[static_cast<std::size_t>(j)], "'; give one of them a parent");
      l->root = j;
    }
    l->parent.push_back(parent.empty() ? j : l->at(parent));
  }
  TMOR_CHECK(l->root >= 0, "layout ", spec.name, ": no root; leave the parent of one joint empty");
  detail::check_tree(*l);
  for (Index j = 0; j < count; ++j) l->mirror.push_back(detail::find_mirror(*l, j));
  return l;
}

/// Names of the built-in layouts.
inline std::vector<std::string> layout_names() {
  std::vector<std::string> out;
  for (const auto& b : detail::kBuiltinLayouts) out.emplace_back(b.name);
  return out;
}

namespace detail {

/// Reads "name:parent name:parent ..." of layouts.hpp.
inline LayoutPtr make_builtin(const BuiltinLayout& b) {
  LayoutSpec spec{std::string(b.name), {}};
  for (std::string_view rest = b.tree; !rest.empty();) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    const std::size_t colon = std::min(word.find(':'), word.size());
    spec.joints.push_back(
        {std::string(word.substr(0, colon)), std::string(word.substr(std::min(colon + 1, word.size())))});
  }
  return make_layout(spec);
}

}  // namespace detail

/// A built-in layout by name: unik17, lcrnet13, penn13, coco17, h36m17, openpose18, kinect20, ntu25. Throws
/// Error with the nearest name for another one. Thread-safe; equal names give the same object.
inline LayoutPtr joint_layout(std::string_view name) {
  static const auto all = [] {
    std::array<LayoutPtr, std::size(detail::kBuiltinLayouts)> made;
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = detail::make_builtin(detail::kBuiltinLayouts[i]);
    return made;
  }();
  for (const auto& l : all)
    if (l->name == name) return l;
  detail::fail<Error>("no joint layout '", name.substr(0, 64), "'; did you mean '",
                      nearest_name(name, layout_names()), "'?");
}

TMOR_END
