// Sums and means, for float and double. See core/config.hpp (TMOR_INSTANTIATE).
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::sum(const tmor::Tensor<float>&, const tmor::Dims&, bool))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::sum(const tmor::Tensor<double>&, const tmor::Dims&, bool))
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::mean(const tmor::Tensor<float>&, const tmor::Dims&, bool))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::mean(const tmor::Tensor<double>&, const tmor::Dims&, bool))
