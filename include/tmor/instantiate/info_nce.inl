// InfoNCE, for float and double. See core/config.hpp (TMOR_INSTANTIATE).
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::info_nce(const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<std::int64_t>&, const tmor::Tensor<bool>&, const tmor::Tensor<std::int64_t>&))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::info_nce(const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<std::int64_t>&, const tmor::Tensor<bool>&, const tmor::Tensor<std::int64_t>&))
