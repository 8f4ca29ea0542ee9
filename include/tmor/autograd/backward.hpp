#pragma once
/// @file backward.hpp
/// `backward(loss)`: walks the tape from a scalar to every leaf; gradient hooks.

#include <algorithm>

#include "tmor/autograd/node.hpp"

TMOR_BEGIN

/// Options of `backward`.
struct BackwardOptions {
  bool keep_graph = false;  ///< keep what the nodes saved, so that backward can run again
};

namespace detail {
/// Runs every node reachable from `root`, latest first; each sees its whole gradient before it runs.
inline void run_tape(const Ref<Node>& root, bool keep) {
  const std::uint64_t mark = next_number();
  std::vector<Ref<Node>> order{root};
  root->mark = mark;
  for (std::size_t i = 0; i < order.size(); ++i)
    for (const Edge& e : Ref<Node>(order[i])->edges())
      if (e.node && e.node->mark != mark) {
        e.node->mark = mark;
        order.push_back(e.node);
      }
  std::sort(order.begin(), order.end(),
            [](const auto& a, const auto& b) { return a->sequence() > b->sequence(); });
  NoGrad guard;
  std::size_t done = 0;
  try {
    for (; done < order.size(); ++done) order[done]->run(keep);
  } catch (...) {
    for (; done < order.size(); ++done) order[done]->grad.reset();  // leave no half-arrived gradient behind
    throw;
  }
}
}  // namespace detail

/// Adds d`y`/d(leaf), weighted by `dy`, to the gradient of every leaf `y` was computed from.
/// @throws Error when `y` is not on the tape (nothing it depends on wants a gradient, it was computed under
/// `NoGrad`, or it is itself a gradient: differentiating twice is not supported), or when the graph was freed
/// already.
template <class T, class Device>
void backward(const Tensor<T, Device>& y, const Tensor<T, Device>& dy, BackwardOptions options = {}) {
  TMOR_CHECK_SHAPE(dy.shape() == y.shape(), "[backward] output ", y.shape(), " but its gradient is ",
                   dy.shape());
  TMOR_CHECK(
      y.requires_grad(),
      "[backward] this tensor does not depend on anything that requires a gradient (a gradient itself never "
      "does: differentiating twice is not supported)");
  const detail::Edge e = detail::edge_of(y);
  if (e.leaf) {
    NoGrad guard;
    Tensor<T, Device> own = Tensor<T, Device>::empty(dy.shape());
    copy_into(Device{}, own, dy);
    detail::accumulate_grad(e.leaf->grad, own);
    return;
  }
  detail::accumulate_grad(e.node->grad, dy);
  detail::run_tape(e.node, options.keep_graph);
}

/// The same for a scalar loss, weighted by 1. @throws ShapeError when `loss` has more than one element.
template <class T, class Device> void backward(const Tensor<T, Device>& loss, BackwardOptions options = {}) {
  TMOR_CHECK_SHAPE(loss.numel() == 1, "[backward] needs a scalar loss, got shape ", loss.shape(),
                   "; reduce it with sum() or mean(), or pass the gradient of the output");
  backward(loss, Tensor<T, Device>::ones(loss.shape()), options);
}

/// Calls `f(grad)` whenever a whole gradient of `t` has been computed; `f` may return a tensor to use in its
/// place, or nothing. On a leaf it sees each backward's contribution before it is accumulated.
/// @throws Error when `t` does not require a gradient.
template <class T, class Device, class F> void register_hook(const Tensor<T, Device>& t, F f) {
  TMOR_CHECK(t.requires_grad(), "[register_hook] this tensor does not require a gradient");
  struct Hook final : detail::HookBase {
    explicit Hook(F fn) : f(std::move(fn)) {}
    detail::BodyRef call(const detail::BodyRef& g) override {
      if constexpr (std::is_void_v<decltype(f(Tensor<T, Device>(g)))>) {
        f(Tensor<T, Device>(g));
        return g;
      } else {
        Tensor<T, Device> out = f(Tensor<T, Device>(g));
        TMOR_CHECK_SHAPE(out.shape() == g->shape, "[hook] returned ", out.shape(), " for a gradient ",
                         g->shape);
        return out.body_ref();
      }
    }
    F f;
  };
  if (t.body().node) {
    auto& node = static_cast<Node&>(*t.body().node);
    if (!node.hooks) node.hooks = std::make_unique<detail::HookList>();
    node.hooks->hooks.push_back(std::make_unique<Hook>(std::move(f)));
  } else {
    if (!t.body().hooks) t.body().hooks = Ref<detail::NodeBase>(new detail::HookList);
    static_cast<detail::HookList&>(*t.body().hooks).hooks.push_back(std::make_unique<Hook>(std::move(f)));
  }
}

TMOR_END
