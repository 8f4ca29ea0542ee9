// Attention, for float and double. See core/config.hpp (TMOR_INSTANTIATE).
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::attention(const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::AttentionOptions<>&))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::attention(const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::AttentionOptions<>&))
