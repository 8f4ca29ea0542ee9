#pragma once
/// @file loop.hpp
/// The training loop. It reads as it is taught: draw a batch, compute the loss, go backward, step, average;
/// at the end of an epoch validate and save. Whatever moment it is killed at, a resumed run ends with the
/// same bits.

#include <algorithm>
#include <functional>
#include <limits>

#include "tmor/core/finite.hpp"
#include "tmor/data/loader.hpp"
#include "tmor/optim/ema.hpp"
#include "tmor/optim/grad_scaler.hpp"
#include "tmor/optim/schedule.hpp"
#include "tmor/train/checkpoint.hpp"
#include "tmor/train/logger.hpp"
#include "tmor/train/precision.hpp"
#include "tmor/train/progress.hpp"
#include "tmor/train/stop_signal.hpp"

TMOR_BEGIN
namespace train {

struct LoopOptions {
  Index epochs = 1;              ///< passes over the data
  Index max_steps = 0;           ///< optimiser steps at most; 0: as many as the epochs have
  double lr = 1e-3;              ///< base learning rate
  optim::Schedule schedule;      ///< of the step; its total is `total_steps`
  Index accumulate = 1;          ///< batches to one step; the last step of an epoch may have fewer
  double clip_norm = 0;          ///< bound on the norm of the gradient; 0: none
  double ema_decay = 0;          ///< average of the parameters, which is validated and saved as best; 0: none
  Index validate_every = 1;      ///< epochs; the end is always validated
  Index checkpoint_every = 0;    ///< steps between checkpoints, besides those at the end of an epoch; 0: none
  Index log_every = 10;          ///< steps
  std::string best_metric;       ///< key of the metric by which the best is kept; "": keep none
  bool lower_is_better = false;  ///< for losses
  std::string out;               ///< folder for checkpoints and log.jsonl; "": nothing is written
  bool resume = false;           ///< continue from the newest checkpoint of `out`, if there is one
  bool quiet = false;            ///< nothing on standard error
  bool own_backward = false;     ///< the loss function goes backward itself (GradCache), of its loss times
                                 ///< `Context::loss_scale`: what it returns is only read
  Precision precision = Precision::f32;  ///< of the activations of the model that makes the loss; f16 has the
                                         ///< loss scaled
  optim::GradScalerOptions loss_scale = {};  ///< with f16
  std::function<io::Json()> extra =
      {};  ///< more numbers for each line of the training log, such as learned scales
};

struct LoopResult {
  Index steps = 0;     ///< optimiser steps in all, those before resuming too
  double loss = 0;     ///< mean training loss of the last steps logged
  io::Json metrics;    ///< of the last validation
  io::Json best;       ///< of the best one, with its "step"; null without `best_metric`
  int stopped_by = 0;  ///< SIGINT or SIGTERM: not finished, but saved for --resume; 0: finished
};

/// Optimiser steps of a whole run over `source`.
template <class Source> Index total_steps(const Source& source, const LoopOptions& o) {
  const Index all = o.epochs * ((source.batches() + o.accumulate - 1) / o.accumulate);
  return o.max_steps > 0 ? std::min(all, o.max_steps) : all;
}

/// Position of a loader as JSON.
inline io::Json to_json(const data::LoaderState& s) {
  return {{"seed", s.seed},
          {"epoch", s.epoch},
          {"batch", s.batch},
          {"samples", s.samples},
          {"batch_size", s.batch_size}};
}
/// @throws IoError naming `where`.
inline data::LoaderState loader_from_json(const io::Json& j, const std::string& where) {
  return {io::json_at<std::uint64_t>(j, "seed", where), io::json_at<Index>(j, "epoch", where),
          io::json_at<Index>(j, "batch", where), io::json_at<Index>(j, "samples", where),
          io::json_at<Index>(j, "batch_size", where)};
}

/// Trains `model` with `optimizer` on the batches of `source`.
///
///     Rng rng(seed);
///     train::Loop loop(model, optimizer, loader, rng, {.epochs = 30, .lr = 3e-4, .out = "runs/1"});
///     auto result = loop.run([&](const Batch& b, const Context& ctx) { return loss(model(b.x, ctx), b.y); },
///                            [&] { return io::Json{{"top1", accuracy(model, test)}}; });
///
/// `Source` is a `data::Loader`, or has its `next`, `batches`, `state` and `restore`. `rng` is what the
/// model's forward passes draw from.
template <class Model, class Optimizer, class Source> class Loop {
 public:
  /// @throws Error for options out of range, or a source without batches.
  Loop(Model& model, Optimizer& optimizer, Source& source, Rng& rng, const LoopOptions& options)
      : model_(model),
        optimizer_(optimizer),
        source_(source),
        rng_(rng),
        options_(options),
        scaler_(scaler_options(options)),
        ema_(model, options.ema_decay) {
    TMOR_CHECK(options.epochs >= 1 && options.accumulate >= 1 && options.max_steps >= 0 &&
                   options.validate_every >= 0 && options.checkpoint_every >= 0 && options.log_every >= 1 &&
                   options.clip_norm >= 0,
               "[Loop] epochs, accumulate and log_every are at least 1, the other counts not negative");
    TMOR_CHECK(
        !options.own_backward || options.accumulate == 1,
        "[Loop] a loss function that goes backward itself excludes accumulate: it sees one batch a step");
    TMOR_CHECK(source.batches() > 0,
               "[Loop] there is no batch to train on: no samples, or fewer than a "
               "batch with drop_last");
    end_ = total_steps(source, options);
  }

  /// Runs to the end, or until SIGINT or SIGTERM. `loss_of(batch, context)` returns a scalar tensor;
  /// `validate()` returns a JSON object of numbers, computed without gradients and free of clock times (it is
  /// part of the checkpoint).
  /// @throws Error when the loss or the gradient is no longer finite, with the step and what to try. With f16
  /// a step whose gradient is not finite is left out, said so, and the next loss scaled by less.
  template <class LossOf, class Validate> LoopResult run(LossOf&& loss_of, Validate&& validate) {
    begin();
    Progress bar("train", options_.quiet ? -1 : end_, step_);
    const StopSignal stop;
    while (step_ < end_) {
      step(loss_of, bar);
      report(bar);
      if (source_.state().batch == source_.batches()) {
        end_epoch(validate, bar);
      } else if (options_.checkpoint_every > 0 && step_ % options_.checkpoint_every == 0) {
        save();
      }
      if (stop.caught() && step_ < end_) {
        save();
        return result(stop.caught());
      }
    }
    if (validated_at_ != step_) {  // max_steps within an epoch
      check(validate, bar);
      save();
    }
    return result(0);
  }
  /// The same without validation.
  template <class LossOf> LoopResult run(LossOf&& loss_of) {
    return run(loss_of, [] { return io::Json::object(); });
  }

  /// The averages; off unless `ema_decay` is set. `optim::Ema<>::Use guard(loop.ema())` puts them in place.
  auto& ema() { return ema_; }

 private:
  using T = typename Optimizer::value_type;
  using Device = typename Optimizer::device_type;

  /// Below it a gradient that is still not finite has another reason than its range (as fairseq's
  /// --min-loss-scale).
  static constexpr double kLeastLossScale = 1e-4;

  static optim::GradScalerOptions scaler_options(const LoopOptions& o) {
    auto s = o.loss_scale;
    s.enabled = o.precision == Precision::f16;
    return s;
  }

  /// One optimiser step.
  template <class LossOf> void step(LossOf& loss_of, Progress& bar) {
    const Index parts = std::min(options_.accumulate, source_.batches() - source_.state().batch);
    loss_ = 0;
    for (Index i = 0; i < parts; ++i) {
      const auto batch = source_.next();
      const auto loss = loss_of(*batch, Context{true, &rng_, scaler_.scale()});
      loss_ += static_cast<double>(loss.item()) / static_cast<double>(parts);
      check_finite(loss_, "loss");
      if (!options_.own_backward) scaler_.backward(loss, parts);
    }
    const bool finite = !scaler_.on() || is_finite(scaler_.unscale(optimizer_.params()));
    if (options_.clip_norm > 0 && finite) {
      norm_ = optim::clip_grad_norm(optimizer_.params(), options_.clip_norm);
      check_finite(norm_, "norm of the gradient");
    }
    lr_ = options_.lr * options_.schedule(step_);
    if (scaler_.step(optimizer_, lr_)) ema_.update();
    ++step_;
    if (!finite) report_skipped(bar);
  }

  /// The step that was left out, in the log at once.
  void report_skipped(Progress& bar) {
    const double scale = scaler_.scale();
    const io::Json line{
        {"step", step_}, {"epoch", source_.state().epoch}, {"skipped", 1}, {"loss_scale", scale}};
    log_.write(line);
    if (!options_.quiet)
      bar.line(detail::cat("step ", step_, " is left out: its gradient is not finite; the loss is scaled by ",
                           scale, " from now on"));
    TMOR_CHECK(scale >= kLeastLossScale, "step ", step_,
               ": the gradient is not finite with the loss scaled by ", scale,
               " either: train with bf16, which has the range of float, or a smaller learning rate");
  }

  template <class Validate> void end_epoch(Validate& validate, Progress& bar) {
    source_.next();  // says that the epoch is over, and begins the next
    const Index epoch = source_.state().epoch;
    const bool due = options_.validate_every > 0 && epoch % options_.validate_every == 0;
    if (due || step_ == end_) check(validate, bar);
    save();
  }

  /// Validates, and keeps the best.
  template <class Validate> void check(Validate& validate, Progress& bar) {
    const NoGrad no_grad;
    const typename optim::Ema<T, Device>::Use averaged(ema_);
    metrics_ = validate();
    validated_at_ = step_;
    if (metrics_.empty()) return;
    io::Json line{{"step", step_}, {"epoch", source_.state().epoch}, {"valid", metrics_}};
    log_.write(line);
    if (!options_.quiet) bar.line(detail::cat("step ", step_, ": ", io::json_text(metrics_)));
    if (options_.best_metric.empty()) return;
    const auto value = io::json_at<double>(metrics_, options_.best_metric, "the metrics of validation");
    const double sign = options_.lower_is_better ? -1 : 1;
    if (!best_.is_null() && sign * value <= sign * best_[options_.best_metric].template get<double>()) return;
    best_ = metrics_;
    best_["step"] = step_;
    if (!options_.out.empty()) save_checkpoint(best_checkpoint(options_.out), best_, part("model", model_));
  }

  void save() {
    if (options_.out.empty()) return;
    const io::Json state{{"step", step_},
                         {"rng", to_json(rng_.state())},
                         {"loader", to_json(source_.state())},
                         {"metrics", metrics_},
                         {"best", best_},
                         {"validated_at", validated_at_},
                         {"mean_loss", mean_loss_},
                         {"window_sum", window_sum_},
                         {"window", window_}};
    save_last(options_.out, state, part("model", model_), part("optimizer", optimizer_), part("ema", ema_),
              part("scaler", scaler_));
  }

  /// Makes the folder; continues from its checkpoint when asked to.
  void begin() {
    if (options_.out.empty()) return;
    io::make_directories(options_.out);
    const std::string log = options_.out + "/log.jsonl";
    if (options_.resume) {
      const auto found = load_last(options_.out, part("model", model_), part("optimizer", optimizer_),
                                   part("ema", ema_), part("scaler", scaler_));
      if (found) restore(found->state, found->path);
      if (found && !options_.quiet) {
        if (!found->warning.empty()) std::fprintf(stderr, "warning: %s\n", found->warning.c_str());
        std::fprintf(stderr, "resuming at step %lld of %lld\n", static_cast<long long>(step_),
                     static_cast<long long>(end_));
      }
    }
    log_ = JsonlLog::resumed(log, step_);
  }

  void restore(const io::Json& state, const std::string& where) {
    source_.restore(loader_from_json(io::json_at<io::Json>(state, "loader", where), where + ": loader"));
    rng_ = Rng(rng_from_json(io::json_at<io::Json>(state, "rng", where), where + ": rng"));
    step_ = io::json_at<Index>(state, "step", where);
    metrics_ = io::json_at<io::Json>(state, "metrics", where);
    best_ = io::json_at<io::Json>(state, "best", where);
    validated_at_ = io::json_at<Index>(state, "validated_at", where);
    mean_loss_ = io::json_at<double>(state, "mean_loss", where);
    window_sum_ = io::json_at<double>(state, "window_sum", where);
    window_ = io::json_at<Index>(state, "window", where);
  }

  void report(Progress& bar) {
    window_sum_ += loss_;
    ++window_;
    if (!options_.quiet) bar.update(step_, detail::cat("loss ", short_number(loss_)));
    if (step_ % options_.log_every != 0 && step_ != end_) return;
    mean_loss_ = window_sum_ / static_cast<double>(window_);
    io::Json line{{"step", step_},
                  {"epoch", source_.state().epoch},
                  {"loss", mean_loss_},
                  {"lr", lr_},
                  {"seconds", seconds() - start_}};
    if (options_.clip_norm > 0) line["grad_norm"] = norm_;
    if (scaler_.on()) line["loss_scale"] = scaler_.scale();
    if (options_.extra) line.update(options_.extra());
    log_.write(line);
    window_sum_ = 0;
    window_ = 0;
  }

  void check_finite(double value, const char* what) const {
    if (is_finite(value)) return;
    const std::string way_back =
        options_.out.empty() ? "" : "; the last checkpoint in '" + options_.out + "' is good";
    tmor::detail::fail<Error>(
        "step ", step_, " (epoch ", source_.state().epoch, "): the ", what, " is not finite (learning rate ",
        options_.lr * options_.schedule(step_), "; mean loss before ", mean_loss_,
        "): try a smaller learning rate, a longer warm-up or gradient clipping, and look for NaN in the data",
        scaler_.on() ? "; or train with bf16: f16 ends at 65504" : "", way_back);
  }

  LoopResult result(int signal) const { return {step_, mean_loss_, metrics_, best_, signal}; }

  Model& model_;
  Optimizer& optimizer_;
  Source& source_;
  Rng& rng_;
  LoopOptions options_;
  optim::GradScaler scaler_;
  optim::Ema<T, Device> ema_;
  JsonlLog log_;
  Index end_ = 0;
  double start_ = seconds();

  // What a checkpoint holds, besides the tensors.
  Index step_ = 0, validated_at_ = -1;
  io::Json metrics_ = io::Json::object(), best_;

  double mean_loss_ = 0, window_sum_ = 0;  // mean of the last window logged; sum and steps of the present one
  Index window_ = 0;

  double loss_ = 0, norm_ = 0, lr_ = 0;  // of the last step
};

}  // namespace train
TMOR_END
