// The contrast of moments, and tokens brought to given times.
#include "cases/table.hpp"
#include "tmor/losses/frame.hpp"

using namespace table;
namespace loss = tmor::loss;
using Tf = Tensor<float>;

TEST_CASE("frame_info_nce: the table") {
  // Three clips, of 3, 2 and 2 moments; the first and the last show the same thing.
  const loss::Moments m{{0, 0, 0, 1, 1, 2, 2}, {4, 4, 4, 5, 5, 4, 4}, {0, 1, 3, 0, 2, 0, 1}, 1};
  for (const Index block : {100, 5, 1}) {  // all clips together; the first two; each alone
    CAPTURE(block);
    row<3>(
        "frame_info_nce", {{{7, 4}, {7, 4}, {}}},
        [&](const auto& a, const auto& b, const auto& s) { return loss::frame_info_nce(a, b, s, m, block); },
        [&](const Arrays& in) {
          const int block_of[3] = {0, block >= 5 ? 0 : 1, block >= 100 ? 0 : 2};
          const auto norm = [](const Array& x, Index i) {
            double s = 0;
            for (Index d = 0; d < 4; ++d) s += x[i * 4 + d] * x[i * 4 + d];
            return std::sqrt(s);
          };
          const auto logit = [&](Index i, Index j) {
            double s = 0;
            for (Index d = 0; d < 4; ++d) s += in[0][i * 4 + d] * in[1][j * 4 + d];
            return std::exp(in[2][0]) * s / norm(in[0], i) / norm(in[1], j);
          };
          double y = 0;
          for (Index i = 0; i < 7; ++i) {
            double rows = 0, columns = 0;
            for (Index j = 0; j < 7; ++j) {
              const auto u = static_cast<std::size_t>(i), v = static_cast<std::size_t>(j);
              if (block_of[m.clip[u]] != block_of[m.clip[v]]) continue;
              const bool same = m.clip[u] == m.clip[v];
              if (i != j && same && std::abs(m.place[u] - m.place[v]) <= 1) continue;
              if (!same && m.group[u] == m.group[v]) continue;
              rows += std::exp(logit(i, j)), columns += std::exp(logit(j, i));
            }
            y += (std::log(rows) + std::log(columns) - 2 * logit(i, i)) / 14;
          }
          Array out{Shape{}};
          out[0] = y;
          return out;
        });
  }
  CHECK_THROWS_AS(loss::frame_info_nce(Tf::ones({2, 3}), Tf::ones({2, 3}), Tf::scalar(0), m),
                  tmor::ShapeError);
}

TEST_CASE("at_times: the table") {
  const std::vector<float> times = {0, 0.25f, 0.5f, 1, 0.1f, 0.4f, 0.75f, 0.9f};
  row<1>(
      "at_times", {{{2, 4, 3}}, {{2, 1, 3}}, {{2, 2, 1}}},
      [&](const auto& x) {
        return loss::at_times(x, beside(x, Tf::from(times, {2, 4})));
      },
      [&](const Arrays& in) {
        const Index t = in[0].shape[1], c = in[0].shape[2];
        Array y({2, 4, c});
        for (Index i = 0; i < 8; ++i) {
          const double place = std::fmin(
              std::fmax(
                  static_cast<double>(times[static_cast<std::size_t>(i)]) * static_cast<double>(t) - 0.5, 0),
              static_cast<double>(t - 1));
          const auto low = static_cast<Index>(std::floor(place)), high = std::min(low + 1, t - 1);
          for (Index k = 0; k < c; ++k) {
            const double p = place - std::floor(place);
            y[i * c + k] =
                (1 - p) * in[0][((i / 4) * t + low) * c + k] + p * in[0][((i / 4) * t + high) * c + k];
          }
        }
        return y;
      });
  CHECK_THROWS_AS(loss::at_times(Tf::ones({2, 3, 1}), Tf::ones({3, 2})), tmor::ShapeError);
}
