// Streams of the emulated device whose work is deferred: what is forgotten shows, what is right still is.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include <cmath>

#include "support/emu_orders.hpp"
#include "tmor/cuda/device.hpp"
#include "tmor/cuda/launch.cuh"

using namespace tmor;

namespace {

constexpr Index kN = 50;

template <class T> __global__ void fill_with(T* x, T value) {
  if (thread_index() < kN) x[thread_index()] = value;
}
template <class T> __global__ void twice(T* y, const T* x) {
  if (thread_index() < kN) y[thread_index()] = 2 * x[thread_index()];
}
template <class T> __global__ void fails(T*) { detail::fail<Error>("on purpose"); }

/// Two streams of their own, an event, and buffers.
struct Pair {
  CudaApi::Stream a, b;
  CudaApi::Event e;
  Ref<Storage> x = Cuda::allocate(kN * sizeof(float)), y = Cuda::allocate(kN * sizeof(float));
  const CudaApi& api = cuda_api();

  explicit Pair(unsigned flags = CudaApi::on_its_own) {
    api.StreamCreateWithFlags(&a, flags);
    api.StreamCreateWithFlags(&b, flags);
    api.EventCreate(&e);
  }
  ~Pair() {
    emu::Streams::instance().synchronize();
    api.StreamDestroy(a);
    api.StreamDestroy(b);
    api.EventDestroy(e);
  }
  Pair(const Pair&) = delete;

  static float* data(const Ref<Storage>& s) { return static_cast<float*>(s->data()); }
  void fill_x(CudaApi::Stream s, float value = 1) {
    launch({"fill_with", 1, 64, 0, s}, fill_with<float>, data(x), value);
  }
  void double_x(CudaApi::Stream s) { launch({"twice", 1, 64, 0, s}, twice<float>, data(y), data(x)); }
  /// The last of y, when `s` has done its work.
  float result(CudaApi::Stream s) {
    std::vector<float> v(kN);
    api.MemcpyAsync(v.data(), data(y), y->bytes(), CudaApi::to_host, s);
    api.StreamSynchronize(s);
    return v.back();
  }
};

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("deferred streams do what is asked for, in their order") {
  with_deferred_streams([] {
    Pair p;
    p.fill_x(p.a);
    p.double_x(p.a);
    p.fill_x(p.a, 5);  // after it was read
    CHECK(p.result(p.a) == 2.0f);
    p.double_x(p.a);
    CHECK(p.result(p.a) == 10.0f);
    p.api.MemsetAsync(Pair::data(p.y), 0, p.y->bytes(), p.b);
    CHECK(p.result(p.b) == 0.0f);
  });
}

TEST_CASE("an event makes one stream wait for another; without it there is NaN") {
  with_deferred_streams([] {
    for (const bool waits : {true, false}) {
      Pair p;
      p.fill_x(p.a);
      p.api.EventRecord(p.e, p.a);
      if (waits) p.api.StreamWaitEvent(p.b, p.e, 0);
      p.double_x(p.b);
      CHECK(std::isnan(p.result(p.b)) == !waits);
    }
    // An event stands for what came before it was recorded, not after.
    Pair p;
    p.api.EventRecord(p.e, p.a);
    p.fill_x(p.a);
    p.api.StreamWaitEvent(p.b, p.e, 0);
    p.double_x(p.b);
    CHECK(std::isnan(p.result(p.b)));
    p.api.EventRecord(p.e, p.a);
    p.api.EventSynchronize(p.e);
    p.double_x(p.b);
    CHECK(p.result(p.b) == 2.0f);
  });
}

TEST_CASE("of two streams the one that was given work last goes first, unless an event says otherwise") {
  with_deferred_streams([] {
    for (const bool waits : {true, false}) {
      Pair p;
      p.fill_x(p.a);
      p.api.EventRecord(p.e, p.a);
      if (waits) p.api.StreamWaitEvent(p.b, p.e, 0);
      p.double_x(p.b);
      p.api.EventRecord(p.e, p.b);  // all of it is wanted by a
      p.api.StreamWaitEvent(p.a, p.e, 0);
      CHECK(std::isnan(p.result(p.a)) == !waits);
    }
  });
}

TEST_CASE("streams in step with the default one need no event, others do") {
  with_deferred_streams([] {
    for (const auto flags : {CudaApi::in_step, CudaApi::on_its_own})
      for (const bool from_default : {true, false}) {
        Pair p(flags);
        p.fill_x(from_default ? nullptr : p.a);
        p.double_x(from_default ? p.a : nullptr);
        CHECK(std::isnan(p.result(from_default ? p.a : nullptr)) == (flags == CudaApi::on_its_own));
      }
  });
}

TEST_CASE("the host reads NaN before it has waited; arguments are those of the launch") {
  with_deferred_streams([] {
    Pair p;
    float value = 3;
    p.fill_x(p.a, value);
    value = 4;
    p.double_x(p.a);
    std::vector<float> v(kN, 0.0f);
    p.api.MemcpyAsync(v.data(), Pair::data(p.y), p.y->bytes(), CudaApi::to_host, p.a);
    CHECK(std::isnan(v[0]));
    p.api.StreamSynchronize(p.b);
    CHECK(std::isnan(v[0]));
    p.api.StreamSynchronize(p.a);
    CHECK(v[0] == 6.0f);
  });
}

TEST_CASE("memory freed on a stream that does not wait for the ones that use it") {
  with_deferred_streams([] {
    const CudaApi& api = cuda_api();
    for (const bool waits : {true, false}) {
      Pair p;
      void* x = nullptr;
      REQUIRE(api.Malloc(&x, kN * sizeof(float)) == 0);
      launch({"fill_with", 1, 64, 0, p.a}, fill_with<float>, static_cast<float*>(x), 1.0f);
      if (waits) {
        api.EventRecord(p.e, p.a);
        api.StreamWaitEvent(p.b, p.e, 0);
      }
      REQUIRE(api.FreeAsync(x, p.b) == 0);
      CHECK(api.FreeAsync(x, p.b) != 0);
      const auto text = error_of([&] { api.StreamSynchronize(p.b); });
      INFO(text);
      CHECK((text == "") == waits);
      CHECK(has(text, "memory is freed on stream ") == !waits);
      CHECK(has(text, " while kernel fill_with on stream ") == !waits);
    }
    // Used after it was freed, on whatever stream; and freed at once, when all is done.
    Pair p;
    void* x = nullptr;
    REQUIRE(api.Malloc(&x, kN * sizeof(float)) == 0);
    api.FreeAsync(x, p.a);
    const auto use = [&] { launch({"k", 1, 64, 0, p.b}, fill_with<float>, static_cast<float*>(x), 1.0f); };
    CHECK(has(error_of(use), "argument 0 points into a freed buffer"));
    CHECK(api.MemsetAsync(x, 0, 4, p.b) != 0);
    api.StreamSynchronize(p.a);
    CHECK(has(error_of(use), "freed buffer"));
    REQUIRE(api.Malloc(&x, kN * sizeof(float)) == 0);
    use();
    CHECK(api.Free(x) == 0);
  });
}

TEST_CASE("an error comes when it is waited for; the rest is dropped, and the device goes on") {
  with_deferred_streams([] {
    Pair p;
    const auto used = emu::DeviceMemory::instance().used();
    {
      const auto z = Cuda::allocate(100);
      launch({"fails", 1, 1}, fails<float>, Pair::data(z));
      p.fill_x(nullptr);
    }
    CHECK(emu::DeviceMemory::instance().used() == used + 100);
    CHECK(error_of([&] { synchronize_cuda(); }) == "on purpose");
    CHECK(emu::DeviceMemory::instance().used() == used);
    p.double_x(nullptr);
    CHECK(std::isnan(p.result(nullptr)));
    p.fill_x(nullptr);
    p.double_x(nullptr);
    CHECK(p.result(nullptr) == 2.0f);
  });
}

TEST_CASE("memory that waits to be freed is found when it is wanted, and launches do not queue without end") {
  with_deferred_streams([] {
    auto& memory = emu::DeviceMemory::instance();
    const auto capacity = memory.capacity;
    memory.capacity = memory.used() + 1000;
    for (int i = 0; i < 10; ++i) Cuda::allocate(900);
    memory.capacity = capacity;
    Pair p;
    const auto z = Cuda::allocate(sizeof(int));
    launch({"start", 1, 1}, fill_with<int>, static_cast<int*>(z->data()), 0);
    int rest = 0;
    for (int i = 0; i < 2500; ++i)
      launch(
          {"count", 1, 1}, +[](int* n) { ++*n; }, static_cast<int*>(z->data()));
    copy_to_host(Cuda{}, &rest, static_cast<const int*>(z->data()), 1);
    CHECK(rest == 2500);
  });
}
#endif
