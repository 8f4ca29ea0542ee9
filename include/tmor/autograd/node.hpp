#pragma once
/// @file node.hpp
/// The tape. An operation that wants a gradient calls
///
///     record(y, "matmul", inputs(a, b), [a = save(a), b = save(b)](const auto& dy, Grads& g) {
///       if (g.wants(0)) g.add(0, matmul(dy, transpose(b.get())));
///       if (g.wants(1)) g.add(1, matmul(transpose(a.get()), dy));
///     });
///
/// after computing `y`. A node holds where its inputs' gradients go, a backward function and a name; it has
/// exactly one output. Gradients *accumulate*: `Grads::add` adds to whatever has arrived already.

#include <memory>
#include <vector>

#include "tmor/autograd/grad_mode.hpp"
#include "tmor/core/tensor.hpp"

TMOR_BEGIN

class Node;
class Grads;

namespace detail {

using BodyRef = Ref<TensorBody>;

/// Where the gradient of an input goes: to the node that computed it, to a leaf, or (both empty) nowhere.
struct Edge {
  Ref<Node> node;
  BodyRef leaf;
  bool wanted() const { return node || leaf; }
};

/// Called with the gradient that has fully arrived; returns what to use in its place (the same one, or
/// another).
struct HookBase {
  virtual ~HookBase() = default;
  virtual BodyRef call(const BodyRef& grad) = 0;
};

/// A number larger than every earlier one of the process.
inline std::uint64_t next_number() {
  static std::atomic<std::uint64_t> n{0};
  return n.fetch_add(1, std::memory_order_relaxed) + 1;
}

struct HookList : NodeBase {
  std::vector<std::unique_ptr<HookBase>> hooks;
  BodyRef apply(BodyRef g) const {
    for (auto& h : hooks) g = h->call(g);
    return g;
  }
};

}  // namespace detail

/// One recorded operation.
class Node : public detail::NodeBase {
 public:
  Node(const char* name, std::vector<detail::Edge> edges)
      : name_(name), sequence_(detail::next_number()), edges_(std::move(edges)) {}
  ~Node() override;

  const char* name() const { return name_; }
  /// Grows with every recorded operation of the process: inputs always have smaller numbers.
  std::uint64_t sequence() const { return sequence_; }
  const std::vector<detail::Edge>& edges() const { return edges_; }
  bool released() const { return released_; }

  /// Computes the inputs' gradients from `grad`. Saved tensors are freed at once unless `keep`.
  void run(bool keep);
  /// Frees what backward saved.
  void release() {
    if (!released_) drop();
    released_ = true;
  }

  std::uint64_t mark = 0;  ///< number of the last backward that reached this node
  detail::BodyRef grad;    ///< gradient of the output, as far as it has arrived
  std::unique_ptr<detail::HookList> hooks;

 protected:
  virtual void call(const detail::BodyRef& dy, Grads& g) = 0;
  virtual void drop() = 0;

 private:
  friend class Grads;
  const char* name_;
  std::uint64_t sequence_;
  std::vector<detail::Edge> edges_;
  bool released_ = false;
};

namespace detail {
/// `slot += g` for gradients; the first one is kept as it is.
template <class T, class Device> void accumulate_grad(BodyRef& slot, const Tensor<T, Device>& g) {
  if (!slot) {
    slot = g.body_ref();
    return;
  }
  Tensor<T, Device> have(slot);
  // In place only where nobody else can see it.
  if (slot->use_count() <= 2 && slot->storage->use_count() == 1 && have.is_contiguous()) {
    add_into(Device{}, have, g);
  } else {
    Tensor<T, Device> sum = Tensor<T, Device>::empty(g.shape());
    copy_into(Device{}, sum, have);
    add_into(Device{}, sum, g);
    slot = sum.body_ref();
  }
}

/// The same for a leaf, which owns its gradient: clipping or scaling it must not touch anything else.
template <class T, class Device> void add_to_leaf(const BodyRef& leaf, const BodyRef& g) {
  const Tensor<T, Device> grad(g);
  if (!leaf->grad && (g->storage->use_count() > 1 || !grad.is_contiguous())) {
    const auto own = Tensor<T, Device>::empty(grad.shape());
    copy_into(Device{}, own, grad);
    leaf->grad = own.body_ref();
  } else {
    accumulate_grad(leaf->grad, grad);
  }
}
}  // namespace detail

/// What a backward function sees of its inputs.
class Grads {
 public:
  explicit Grads(Node& node) : node_(node) {}
  /// Is a gradient of input `i` wanted at all?
  bool wants(int i) const { return node_.edges_[static_cast<std::size_t>(i)].wanted(); }
  /// Adds `grad` to the gradient of input `i`. @throws Error if its shape is not the input's (a broken
  /// backward).
  template <class T, class Device> void add(int i, const Tensor<T, Device>& g) {
    const detail::Edge& e = node_.edges_[static_cast<std::size_t>(i)];
    if (!e.wanted()) return;
    if (e.leaf) {
      TMOR_CHECK_SHAPE(e.leaf->shape == g.shape(), "[backward of ", node_.name_, "] gradient of shape ",
                       g.shape(), " for input ", i, " of shape ", e.leaf->shape);
      leaf_grads_.push_back(LeafGrad{i, g.body_ref(), &detail::add_to_leaf<T, Device>});
    } else {
      detail::accumulate_grad(e.node->grad, g);
    }
  }

 private:
  friend class Node;
  struct LeafGrad {
    int input;
    detail::BodyRef grad;
    void (*add)(const detail::BodyRef& leaf, const detail::BodyRef& g);
  };
  Node& node_;
  std::vector<LeafGrad> leaf_grads_;
};

inline void Node::run(bool keep) {
  TMOR_CHECK(!released_, "[backward] through '", name_,
             "' a second time: its saved tensors were freed by the first; pass {.keep_graph = true} to that "
             "backward, or compute the loss again");
  detail::BodyRef dy = std::move(grad);
  grad.reset();
  if (!dy) {  // nothing arrived: the output did not influence the loss
    if (!keep) release();
    return;
  }
  if (hooks) dy = hooks->apply(dy);
  Grads g(*this);
  call(dy, g);
  if (!keep) release();
  dy.reset();
  for (auto& lg : g.leaf_grads_) {
    const detail::BodyRef& leaf = edges_[static_cast<std::size_t>(lg.input)].leaf;
    detail::BodyRef in = std::move(lg.grad);
    if (leaf->hooks) in = static_cast<detail::HookList&>(*leaf->hooks).apply(in);
    lg.add(leaf, in);
  }
}

inline Node::~Node() {
  // A long chain of nodes must not be freed by recursion: the outermost destructor frees the rest one by one.
  thread_local std::vector<Ref<Node>>* pending = nullptr;
  if (pending) {
    for (auto& e : edges_)
      if (e.node && e.node->use_count() == 1) pending->push_back(std::move(e.node));
    return;
  }
  std::vector<Ref<Node>> mine;
  pending = &mine;
  for (auto& e : edges_)
    if (e.node && e.node->use_count() == 1) mine.push_back(std::move(e.node));
  edges_.clear();
  while (!mine.empty()) {
    Ref<Node> n = std::move(mine.back());
    mine.pop_back();
    n.reset();
  }
  pending = nullptr;
}

/// A tensor kept for backward: detached (no cycle through the tape) and checked for changes in place.
template <class T, class Device> class Saved {
 public:
  explicit Saved(const Tensor<T, Device>& t) : t_(t.detach()), version_(t.version()) {}
  /// @throws Error if the tensor was changed in place since it was saved.
  const Tensor<T, Device>& get() const {
    TMOR_CHECK(t_.version() == version_, "[backward] a tensor of shape ", t_.shape(),
               " that backward needs was changed in place after it was used; clone() it before changing it");
    return t_;
  }

 private:
  Tensor<T, Device> t_;
  unsigned version_;
};
template <class T, class Device> Saved<T, Device> save(const Tensor<T, Device>& t) {
  return Saved<T, Device>(t);
}

/// Will an operation on these inputs be recorded?
template <class... Ts> bool needs_grad(const Ts&... inputs) {
  return grad_enabled() && ((inputs.defined() && inputs.requires_grad()) || ...);
}

namespace detail {
template <class T, class Device> Edge edge_of(const Tensor<T, Device>& t) {
  if (!t.defined()) return {};
  if (t.body().node) return {Ref<Node>(static_cast<Node*>(t.body().node.get())), {}};
  if (t.body().requires_grad) return {{}, t.body_ref()};
  return {};
}

template <class T, class Device, class F> class FunctionNode final : public Node {
 public:
  FunctionNode(const char* name, std::vector<Edge> edges, F f) : Node(name, std::move(edges)) {
    new (&f_) F(std::move(f));
  }
  ~FunctionNode() override { release(); }

 private:
  void call(const BodyRef& dy, Grads& g) override { (*fn())(Tensor<T, Device>(dy), g); }
  void drop() override { fn()->~F(); }
  F* fn() { return reinterpret_cast<F*>(&f_); }
  alignas(F) unsigned char f_[sizeof(F)];
};
}  // namespace detail

/// The edges of a node's inputs, in order; undefined tensors and ones without gradient stay empty.
template <class... Ts> std::vector<detail::Edge> inputs(const Ts&... ts) {
  std::vector<detail::Edge> e;
  e.reserve(sizeof...(ts));
  (e.push_back(detail::edge_of(ts)), ...);
  return e;
}

/// Puts `y` on the tape as the result of `name`; `backward(dy, g)` adds the inputs' gradients to `g`.
/// `name` must live for ever (a string literal). Call it only when `needs_grad(inputs...)`.
template <class T, class Device, class F>
void record(const Tensor<T, Device>& y, const char* name, std::vector<detail::Edge> in, F backward) {
  static_assert(is_floating<T>, "only floating-point results have gradients");
  y.body().node =
      Ref<detail::NodeBase>(new detail::FunctionNode<T, Device, F>(name, std::move(in), std::move(backward)));
}

TMOR_END
