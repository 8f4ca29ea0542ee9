#include "common/probes.hpp"

namespace task {

tmor::eval::NearestNeighbourResult nearest(const tmor::eval::Features& train,
                                           const tmor::eval::Features& test) {
  return tmor::eval::nearest_neighbour(train, test, {.k = 1, .by = tmor::eval::Nearness::kL2});
}

tmor::eval::FewShotResult nearest_few_shot(const tmor::eval::Features& train,
                                           const tmor::eval::Features& test, std::uint64_t seed) {
  const tmor::eval::FewShotOptions o{.seed = seed};
  tmor::eval::FewShotResult r{
      "few-shot: k samples a class drawn from the training samples, 5 draws; 1-NN (L2) on normalised "
      "coordinates",
      {}};
  for (const auto k : o.shots) {
    tmor::eval::FewShotPoint p;
    p.shots = k;
    for (int s = 0; s < o.seeds; ++s) {
      const auto few = tmor::eval::draw_shots(train, k, seed + static_cast<std::uint64_t>(s));
      const auto found = nearest(tmor::eval::take(train, few), test);
      p.top1.push_back(found.top1);
      p.mean_class.push_back(found.mean_class);
    }
    r.points.push_back(p);
  }
  return r;
}

}  // namespace task
