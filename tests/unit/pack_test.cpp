#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tmor/core/pack_convert.hpp"

using namespace tmor;

namespace {

template <class T> bool same_bits(T a, T b) { return std::memcmp(&a, &b, sizeof a) == 0; }

#ifdef __FAST_MATH__
constexpr bool kFast = true;
#else
constexpr bool kFast = false;
#endif

}  // namespace

TEST_CASE_TEMPLATE("packs: arithmetic, lane by lane", T, float, double) {
  using V = Pack<T>;
  T a[V::size], b[V::size], r[V::size];
  for (int i = 0; i < V::size; ++i) {
    a[i] = T(i) - T(1.25);
    b[i] = T(2) + T(i) / 4;
  }
  const V x = V::load(a), y = V::load(b);
  auto check = [&](V v, auto f) {
    v.store(r);
    for (int i = 0; i < V::size; ++i) CHECK(r[i] == f(a[i], b[i]));
  };
  check(x + y, [](T p, T q) { return p + q; });
  check(x - y, [](T p, T q) { return p - q; });
  check(x * y, [](T p, T q) { return p * q; });
  check(-x, [](T p, T) { return -p; });
  check(x * T(2) + V(1), [](T p, T) { return p * T(2) + T(1); });
  check(select(x < y, x, y), [](T p, T q) { return p < q ? p : q; });
  check(select((x > V(0)) & !(y > V(3)), x, y), [](T p, T q) { return p > 0 && q <= 3 ? p : q; });
  check(select((x > V(0)) | (y == V(2)), x, y), [](T p, T q) { return p > 0 || q == T(2) ? p : q; });
  check(math::min(x, y), [](T p, T q) { return p < q ? p : q; });
  check(math::max(x, y), [](T p, T q) { return p < q ? q : p; });
  check(math::abs(x), [](T p, T) { return p < 0 ? -p : p; });
  V z = x;
  z += y;
  z *= V(2);
  check(z, [](T p, T q) { return (p + q) * 2; });
  CHECK(same_bits(V(T(-0.0))[1], T(-0.0)));
}

TEST_CASE_TEMPLATE("packs: parts of vectors touch no other memory", T, float, double, std::int32_t,
                   std::int64_t) {
  using V = Pack<T>;
  for (int n = 0; n <= V::size; ++n) {
    std::vector<T> from(static_cast<std::size_t>(n)), to(static_cast<std::size_t>(n) + 1, T(-7));
    for (int i = 0; i < n; ++i) from[static_cast<std::size_t>(i)] = T(i + 1);
    const V v = V::load_partial(from.data(), n);
    for (int i = 0; i < V::size; ++i) CHECK(v[i] == (i < n ? T(i + 1) : T(0)));
    (v + V(1)).store_partial(to.data(), n);
    for (int i = 0; i < n; ++i) CHECK(to[static_cast<std::size_t>(i)] == T(i + 2));
    CHECK(to[static_cast<std::size_t>(n)] == T(-7));
    const V w = first_lanes(V(5), n, T(3));
    for (int i = 0; i < V::size; ++i) CHECK(w[i] == (i < n ? T(5) : T(3)));
  }
}

TEST_CASE_TEMPLATE("packs: across the lanes", T, float, double, std::int32_t) {
  using V = Pack<T>;
  for (int at = 0; at < V::size; ++at) {
    T lane[V::size];
    T sum = 0;
    for (int i = 0; i < V::size; ++i) sum += lane[i] = T((i * 5 + at) % 7);
    lane[at] = 50;
    CHECK(hmax(V::load(lane)) == T(50));
    lane[at] = -50;
    CHECK(hmin(V::load(lane)) == T(-50));
    lane[at] = 0;
    CHECK(any(V::load(lane) < V(0)) == false);
    CHECK(all(V::load(lane) < V(8)));
    lane[at] = 9;
    CHECK(any(V::load(lane) > V(8)));
    CHECK(!all(V::load(lane) < V(8)));
    CHECK(hsum(V::load(lane)) == sum - T((at * 5 + at) % 7) + T(9));
  }
}

TEST_CASE_TEMPLATE("packs: rounding", V, float, double, Pack<float>, Pack<double>) {
  using T = lane_t<V>;
  const T big = sizeof(T) == 4 ? T(0x1p23) : T(0x1p52);
  std::vector<T> points = {0,    T(0.25), T(0.5),       1,       T(1.5),  T(2.5),        T(3.5),  1e6,
                           T(7), big,     big - T(0.5), big + 1, T(1e30), T(0.49999997), T(1e-40)};
  for (T p : points) {
    for (T x : {p, -p}) {
      auto lane = [](V v) {
        if constexpr (detail::LaneTraits<V>::pack) {
          return v[V::size - 1];
        } else {
          return v;
        }
      };
      CAPTURE(x);
      CHECK(lane(math::trunc(V(x))) == std::trunc(x));
      CHECK(lane(math::floor(V(x))) == std::floor(x));
      CHECK(lane(math::ceil(V(x))) == std::ceil(x));
      CHECK(lane(math::round(V(x))) == std::nearbyint(x));
      CHECK(lane(math::copysign(V(T(3)), V(x))) == std::copysign(T(3), x));
    }
  }
}

TEST_CASE("packs: f16 and bf16 in both directions agree with the scalar conversions") {
  using V = Pack<float>;
  auto check = [](auto tag) {
    using S = decltype(tag);
    int wrong = 0;
    for (std::uint32_t h = 0; h < 0x10000; h += V::size) {
      S in[V::size], out[V::size];
      for (std::uint32_t i = 0; i < V::size; ++i) in[i].bits = static_cast<std::uint16_t>(h + i);
      const V v = load_as<V>(in);
      store_as(out, v);
      for (int i = 0; i < V::size; ++i) {
        const float want = in[i];
        const bool special = !(std::abs(want) <= std::numeric_limits<float>::max());
        const bool tiny = std::abs(want) < std::numeric_limits<float>::min();
        if (kFast && (special || tiny)) continue;
        const float got = v[i];
        wrong += want == want ? !same_bits(got, want) : got == got;
        wrong += out[i].bits != S(got).bits;
      }
    }
    CHECK(wrong == 0);
    // Every rounding case of the way down: neighbours of each representable value and of the midpoints.
    for (std::uint32_t h = 0; h < 0x7c00; ++h) {
      S a, b;
      a.bits = static_cast<std::uint16_t>(h);
      b.bits = static_cast<std::uint16_t>(h + 1);
      const float mid = static_cast<float>((double(float(a)) + double(float(b))) / 2);
      if (!(mid < std::numeric_limits<float>::max()) || mid < std::numeric_limits<float>::min()) continue;
      for (float x : {std::nextafter(mid, 0.0f), mid, std::nextafter(mid, 1e38f), -mid}) {
        S out[V::size];
        store_as(out, V(x));
        wrong += out[0].bits != S(x).bits;
      }
    }
    CHECK(wrong == 0);
  };
  check(f16{});
  check(bf16{});
}

TEST_CASE_TEMPLATE("packs: loads and stores of other element types", S, float, double, bool, std::int32_t,
                   std::int64_t, std::uint8_t, bf16, f16) {
  auto check = [](auto zero) {
    using V = decltype(zero);
    constexpr int n = V::size;
    S in[n], out[n], part[n];
    for (int i = 0; i < n; ++i) in[i] = detail::store_cast<S>(static_cast<lane_t<V>>(i * 3 % 5));
    const V v = load_as<V>(in);
    store_as(out, v);
    for (int i = 0; i < n; ++i) {
      CHECK(v[i] == static_cast<lane_t<V>>(in[i]));
      CHECK(out[i] == in[i]);
      CHECK(load_as<lane_t<V>>(in + i) == v[i]);
    }
    for (int k = 0; k <= n; ++k) {
      const V w = load_partial_as<V>(in, k);
      for (int i = 0; i < n; ++i) part[i] = S(1);
      store_partial_as(part, v, k);
      for (int i = 0; i < n; ++i) {
        CHECK(w[i] == (i < k ? v[i] : 0));
        CHECK(part[i] == (i < k ? in[i] : S(1)));
      }
    }
  };
  check(Pack<float>(0));
  check(Pack<double>(0));
}

TEST_CASE("packs: stores to integers saturate") {
  auto one = [](auto zero, double x) {
    using S = decltype(zero);
    S s;
    store_as(&s, static_cast<float>(x));
    return s;
  };
  CHECK(one(std::uint8_t{}, 300) == 255);
  CHECK(one(std::uint8_t{}, 255.7) == 255);
  CHECK(one(std::uint8_t{}, -3) == 0);
  CHECK(one(std::int32_t{}, 3e9) == 2147483647);
  CHECK(one(std::int32_t{}, -3e9) == -2147483647 - 1);
  CHECK(one(std::int32_t{}, -2.9) == -2);
  CHECK(one(std::int64_t{}, 1e30) == std::numeric_limits<std::int64_t>::max());
  CHECK(one(bool{}, 0.1) == true);
  CHECK(one(bool{}, 0) == false);
}
