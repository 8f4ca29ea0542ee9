#pragma once
/// @file config.hpp
/// What every header of tmor sees first: the version, the instruction set this translation unit is built
/// for, and the inline namespace that names it.
///
/// The whole library lives in `tmor::v0_<isa>[_fm][_san][_emu]`, an inline namespace: users write
/// `tmor::Tensor`, the linker sees `tmor::v0_avx512::Tensor`. Two translation units built with different
/// instruction sets, with and without `-ffast-math`, or with and without a sanitizer can therefore never
/// share a function by accident; and because each of them also sets the absolute symbol `tmor_flags_differ`
/// to a number made of the same flags, linking them together fails with "multiple definition of
/// `tmor_flags_differ`".

#include <cstddef>
#include <cstdint>

#define TMOR_VERSION_MAJOR 0
#define TMOR_VERSION_MINOR 1
#define TMOR_VERSION_PATCH 0
#define TMOR_VERSION_STRING "0.1.0"

#if !defined(__GNUC__)
#error "tmor needs a compiler with GNU vector extensions: g++ 12 or clang 14, or newer"
#endif

// Width of the vectors our kernels are written for; see core/pack.hpp.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define TMOR_ISA avx512
#define TMOR_ISA_NUMBER 3
#define TMOR_VECTOR_BYTES 64
#elif defined(__AVX2__) && defined(__FMA__)
#define TMOR_ISA avx2
#define TMOR_ISA_NUMBER 2
#define TMOR_VECTOR_BYTES 32
#elif defined(__SSE2__)
#define TMOR_ISA sse2
#define TMOR_ISA_NUMBER 1
#define TMOR_VECTOR_BYTES 16
#elif defined(__ARM_NEON)
#define TMOR_ISA neon
#define TMOR_ISA_NUMBER 4
#define TMOR_VECTOR_BYTES 16
#else
#define TMOR_ISA generic
#define TMOR_ISA_NUMBER 0
#define TMOR_VECTOR_BYTES 16
#endif

#ifdef __FAST_MATH__
#define TMOR_TAG_FM _fm
#define TMOR_FM_NUMBER 1
#else
#define TMOR_TAG_FM
#define TMOR_FM_NUMBER 0
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TMOR_ASAN 1
#elif __has_feature(thread_sanitizer)
#define TMOR_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(TMOR_ASAN)
#define TMOR_ASAN 1
#elif defined(__SANITIZE_THREAD__) && !defined(TMOR_TSAN)
#define TMOR_TSAN 1
#endif

#if defined(TMOR_ASAN)
#define TMOR_TAG_SAN _asan
#define TMOR_SAN_NUMBER 1
#elif defined(TMOR_TSAN)
#define TMOR_TAG_SAN _tsan
#define TMOR_SAN_NUMBER 2
#else
#define TMOR_TAG_SAN
#define TMOR_SAN_NUMBER 0
#endif

#ifdef TMOR_CUDA_EMULATED
#define TMOR_TAG_EMU _emu
#define TMOR_EMU_NUMBER 1
#else
#define TMOR_TAG_EMU
#define TMOR_EMU_NUMBER 0
#endif

#define TMOR_PASTE_(a, b, c, d, e) a##b##c##d##e
#define TMOR_PASTE(a, b, c, d, e) TMOR_PASTE_(a, b, c, d, e)
#define TMOR_ABI TMOR_PASTE(v0_, TMOR_ISA, TMOR_TAG_FM, TMOR_TAG_SAN, TMOR_TAG_EMU)
#define TMOR_STRING_(x) #x
#define TMOR_STRING(x) TMOR_STRING_(x)

/// Opens and closes the library's namespace in every header: `TMOR_BEGIN ... TMOR_END`.
#define TMOR_BEGIN \
  namespace tmor { \
  inline namespace TMOR_ABI {
#define TMOR_END \
  }              \
  }

/// `tmor/instantiate/*.inl` list the heavy templates, one `TMOR_INSTANTIATE(declaration)` each. A program
/// that links `tmor::compiled` is built with `TMOR_COMPILED`: it reads them as `extern template` and finds
/// the definitions in that library. Without it every translation unit instantiates what it uses.
#define TMOR_INSTANTIATE(...) extern template __VA_ARGS__;

/// `TMOR_HD` marks a function that runs on the host and, under nvcc, on the device.
#ifdef __CUDACC__
#define TMOR_HD __host__ __device__
#else
#define TMOR_HD
#endif
#define TMOR_ALWAYS_INLINE inline __attribute__((always_inline))

TMOR_BEGIN

/// All sizes, strides and indices.
using Index = std::int64_t;

/// The instruction set this translation unit was compiled for: "avx512", "avx2", "sse2", "neon" or "generic".
inline constexpr const char* kIsa = TMOR_STRING(TMOR_ISA);

/// Number of the flags that must agree between translation units (see the file comment).
inline constexpr int kAbiNumber =
    1 + TMOR_ISA_NUMBER + 16 * TMOR_FM_NUMBER + 32 * TMOR_SAN_NUMBER + 128 * TMOR_EMU_NUMBER;

TMOR_END

// One absolute symbol per translation unit: equal values link, different ones are "multiple definitions".
// (clang-format off)
#define TMOR_FLAGS_ASM_(isa, fm, san, emu)                                                     \
  asm(".globl tmor_flags_differ\n.set tmor_flags_differ, 1 + " #isa " + 16*" #fm " + 32*" #san \
      " + 128*" #emu "\n")
#define TMOR_FLAGS_ASM(isa, fm, san, emu) TMOR_FLAGS_ASM_(isa, fm, san, emu)
#if defined(__ELF__) && !defined(__CUDA_ARCH__)
TMOR_FLAGS_ASM(TMOR_ISA_NUMBER, TMOR_FM_NUMBER, TMOR_SAN_NUMBER, TMOR_EMU_NUMBER);
#endif
