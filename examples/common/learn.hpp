#pragma once
/// What common/device.hpp declares, for any device: all that needs kernels and nothing else. nvcc compiles
/// these templates for `Cuda` in common/cuda.cu: nothing outside of them may compute with CPU tensors.

#include "common/device.hpp"
#include "tmor/losses/classification.hpp"
#include "tmor/nn/twin.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/train/gradcache.hpp"
#include "tmor/train/precision.hpp"

namespace task {

/// `x` on a device, undefined as it was.
template <class Device, class T> Tensor<T, Device> moved(const Tensor<T>& x) {
  return x.defined() ? tmor::to<Device>(x) : Tensor<T, Device>();
}
template <class Device> tmor::models::TriBatch<float, Device> moved(const tmor::models::TriBatch<>& b) {
  return {moved<Device>(b.skeleton),
          moved<Device>(b.present),
          moved<Device>(b.frames),
          moved<Device>(b.features),
          {moved<Device>(b.text.ids), moved<Device>(b.text.last)},
          moved<Device>(b.group),
          moved<Device>(b.kind),
          b.has_skeleton,
          b.has_video,
          b.has_text,
          moved<Device>(b.ignore),
          moved<Device>(b.video_time)};
}

/// f(net) in the precision of the run. On the CPU it is float: half precision is slower there.
template <class Device, class M, class F> auto at_work(const Learning& o, const M& net, F&& f) {
  if constexpr (Device::host_memory) {
    return f(net);
  } else {
    return tmor::train::with_precision(o.loop.precision, net, f);
  }
}

/// Samples [begin, begin + n) of a batch.
template <class Device>
tmor::models::TriBatch<float, Device> rows_of(const tmor::models::TriBatch<float, Device>& b, Index begin,
                                              Index n) {
  tmor::models::TriBatch<float, Device> out;
  const auto rows = [&](const auto& x) { return x.defined() ? tmor::narrow(x, 0, begin, n) : x; };
  const auto flags = [&](const std::vector<bool>& f) {
    return f.empty() ? f : std::vector<bool>(f.begin() + begin, f.begin() + begin + n);
  };
  out.skeleton = rows(b.skeleton);
  out.present = rows(b.present);
  out.frames = rows(b.frames);
  out.features = rows(b.features);
  out.text = {rows(b.text.ids), rows(b.text.last)};
  out.group = rows(b.group);
  out.kind = rows(b.kind);
  out.video_time = rows(b.video_time);
  out.has_skeleton = flags(b.has_skeleton);
  out.has_video = flags(b.has_video);
  out.has_text = flags(b.has_text);
  return out;
}

/// Three towers under the name that checkpoints know them by.
template <class T, class Device> struct NamedTowers {
  tmor::models::TriModal<T, Device> net;
  static void visit(auto& self, auto&& v) { v.module("net", self.net); }
};

/// The learned scales and the last loss of each part, for the log.
template <class Device>
Json parts_json(const tmor::models::TriModal<float, Device>& net,
                const tmor::models::TriLoss<float, Device>& last) {
  Json j = Json::object();
  const auto part = [&](const char* name, const auto& loss, const auto& scale) {
    if (loss.defined()) j[std::string("loss_") + name] = loss.item();
    if (scale.log_scale.defined()) j[std::string("scale_") + name] = std::exp(scale.log_scale.item());
  };
  part("sv", last.skeleton_video, net.sv);
  part("st", last.skeleton_text, net.st);
  part("vt", last.video_text, net.vt);
  part("frame", last.frame, net.frame);
  return j;
}

/// `learn_towers` of device.hpp on `Device`.
template <class Device>
tmor::train::LoopResult learn_towers(const tmor::models::TriModal<>& m,
                                     tmor::data::Loader<TriSamples>& loader, Rng& rng, const Learning& o,
                                     const std::function<Json()>& validate) {
  NamedTowers<float, Device> towers{tmor::to<Device>(m)};
  auto& net = towers.net;
  const auto bring_back = [&] {
    if constexpr (!Device::host_memory) tmor::copy_tensors(net, m);
  };
  tmor::optim::AdamW<float, Device> optimizer(
      tmor::parameters<float, Device>(towers),
      tmor::optim::AdamWOptions{.lr = o.loop.lr, .weight_decay = o.weight_decay});
  tmor::models::TriLoss<float, Device> last;
  auto options = o.loop;
  options.own_backward = o.chunk > 0;
  options.extra = [&] { return parts_json(net, last); };
  tmor::train::Loop loop(towers, optimizer, loader, rng, options);
  const auto result = at_work<Device>(o, net, [&](const auto& at_work) {
    return loop.run(
        [&](const TriSamples& s, const Context& ctx) {
          net.limit_scales_();
          const auto batch = moved<Device>(s.batch);
          const Index n = std::ssize(batch.has_skeleton);
          last = o.chunk > 0 ? tmor::train::grad_cache(
                                   at_work, (n + o.chunk - 1) / o.chunk,
                                   [&](Index i) {
                                     return rows_of(batch, i * o.chunk, std::min(o.chunk, n - i * o.chunk));
                                   },
                                   ctx)
                             : at_work.loss(batch, ctx);
          if (!tmor::is_finite(last.total.item())) {
            std::string ids;
            for (const auto& id : s.ids) ids += (ids.empty() ? "" : " ") + id;
            std::fprintf(stderr, "the loss is not finite for the batch of %s\n", ids.c_str());
          }
          return last.total;
        },
        [&] {
          bring_back();
          return validate();
        });
  });
  if (result.stopped_by != 0) return result;
  loop.ema().swap();
  net.limit_scales_();
  bring_back();
  return result;
}

/// Trains `m` on `Device` by `loss(net, batch, context)`; see device.hpp. `validate(net)` and, at the end,
/// `done(net)` see the averages there, and in `m`.
template <class Device, class M, class B, class Validate, class Done, class Loss>
tmor::train::LoopResult learn(const M& m, tmor::data::Loader<B>& loader, Rng& rng, const Learning& o,
                              const Validate& validate, const Done& done, const Loss& loss) {
  auto net = tmor::to<Device>(m);
  const auto bring_back = [&] {
    if constexpr (!Device::host_memory) tmor::copy_tensors(net, m);
  };
  tmor::optim::AdamW<float, Device> optimizer(
      tmor::parameters<float, Device>(net),
      tmor::optim::AdamWOptions{.lr = o.loop.lr, .weight_decay = o.weight_decay});
  tmor::train::Loop loop(net, optimizer, loader, rng, o.loop);
  const auto result = at_work<Device>(o, net, [&](const auto& at_work) {
    return loop.run([&](const B& b, const Context& ctx) { return loss(at_work, b, ctx); },
                    [&] {
                      bring_back();
                      return validate(net);
                    });
  });
  if (result.stopped_by != 0) return result;
  loop.ema().swap();
  bring_back();
  done(net);
  return result;
}

/// `learn_classes` of device.hpp on `Device`.
template <class Device>
tmor::train::LoopResult learn_classes(const Classifier& m, tmor::data::Loader<Batch>& loader, Rng& rng,
                                      const Learning& o, const std::function<Json(const Logits&)>& validate,
                                      const std::function<void(const Logits&)>& done) {
  const auto forward = [](const auto& net, const Batch& b, const Context& ctx) {
    return net(moved<Device>(b.x), ctx, moved<Device>(b.present));
  };
  const auto logits_of = [&](const auto& net) -> Logits {
    return [&](const Batch& b) {
      const tmor::NoGrad guard;
      return tmor::to<Cpu>(forward(net, b, Context{}));
    };
  };
  return learn<Device>(
      m, loader, rng, o, [&](const auto& net) { return validate(logits_of(net)); },
      [&](const auto& net) { done(logits_of(net)); },
      [&](const auto& net, const Batch& b, const Context& ctx) {
        return tmor::loss::cross_entropy(forward(net, b, ctx), moved<Device>(b.labels),
                                         {.label_smoothing = o.label_smoothing});
      });
}

/// `encoder_on` of device.hpp on `Device`.
template <class Device> Encode encoder_on(const tmor::models::SkeletonEncoder<>& encoder) {
  return [net = tmor::to<Device>(encoder)](const Batch& b) {
    const tmor::NoGrad guard;
    const auto f = net(moved<Device>(b.x), Context{}, moved<Device>(b.present));
    return tmor::models::SkeletonFeatures<>{tmor::to<Cpu>(f.tokens), tmor::to<Cpu>(f.pooled),
                                            f.embed.defined() ? tmor::to<Cpu>(f.embed) : Tensor<>()};
  };
}

/// `videos_on` of device.hpp on `Device`.
template <class Device> Watch videos_on(const tmor::models::VideoEncoder<>& tower) {
  return [net = tmor::to<Device>(tower)](const Tensor<>& frames) {
    const tmor::NoGrad guard;
    return tmor::to<Cpu>(tmor::l2_normalize(net(moved<Device>(frames), Context{}).embed));
  };
}

using tmor::eval::train_head;

/// `learn_windows` of device.hpp on `Device`.
template <class Device>
tmor::train::LoopResult learn_windows(const WindowDetector<>& m, tmor::data::Loader<WindowBatch>& loader,
                                      Rng& rng, const Learning& o, const std::function<Json()>& validate) {
  return learn<Device>(
      m, loader, rng, o, [&](const auto&) { return validate(); }, [](const auto&) {},
      [](const auto& net, const WindowBatch& b, const Context& ctx) {
        return tmor::loss::bce_with_logits(net(moved<Device>(b.input.x), moved<Device>(b.input.present), ctx),
                                           moved<Device>(b.y), moved<Device>(b.counted));
      });
}

/// `learn_captions` of device.hpp on `Device`.
template <class Device>
tmor::train::LoopResult learn_captions(const CaptionTowers<>& m, tmor::data::Loader<CaptionedBatch>& loader,
                                       Rng& rng, const Learning& o) {
  return learn<Device>(
      m, loader, rng, o, [](const auto&) { return Json::object(); }, [](const auto&) {},
      [&](const auto& net, const CaptionedBatch& b, const Context& ctx) {
        const tmor::models::TextBatch<Device> captions{moved<Device>(b.captions.ids),
                                                       moved<Device>(b.captions.last)};
        const auto labels = moved<Device>(b.clips.labels);
        const auto seen = net.pair.skeleton(moved<Device>(b.clips.x), ctx);
        const auto match = net.pair.match(tmor::to<float>(seen.embed), captions, labels, ctx);
        if (o.instance <= 0) return match;
        const auto again = net.pair.skeleton(moved<Device>(b.again.x), ctx);
        return match + net.view_loss(seen.pooled, again.pooled) * o.instance;
      });
}

// Of common/cuda.cu.
void check_cuda();
Encode encoder_on_cuda(const tmor::models::SkeletonEncoder<>&);
Watch videos_on_cuda(const tmor::models::VideoEncoder<>&);
double train_head_cuda(const tmor::models::FrameHead<>&, const tmor::eval::HeadTraining&);
tmor::train::LoopResult learn_windows_cuda(const WindowDetector<>&, tmor::data::Loader<WindowBatch>&, Rng&,
                                           const Learning&, const std::function<Json()>&);
tmor::train::LoopResult learn_captions_cuda(const CaptionTowers<>&, tmor::data::Loader<CaptionedBatch>&, Rng&,
                                            const Learning&);
tmor::train::LoopResult learn_towers_cuda(const tmor::models::TriModal<>&, tmor::data::Loader<TriSamples>&,
                                          Rng&, const Learning&, const std::function<Json()>&);
tmor::train::LoopResult learn_classes_cuda(const Classifier&, tmor::data::Loader<Batch>&, Rng&,
                                           const Learning&, const std::function<Json(const Logits&)>&,
                                           const std::function<void(const Logits&)>&);

}  // namespace task
