// Cross-entropy, for float and double. See core/config.hpp (TMOR_INSTANTIATE).
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::loss::cross_entropy(const tmor::Tensor<float>&, const tmor::Tensor<std::int64_t>&, const tmor::loss::CrossEntropyOptions&))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::loss::cross_entropy(const tmor::Tensor<double>&, const tmor::Tensor<std::int64_t>&, const tmor::loss::CrossEntropyOptions&))
