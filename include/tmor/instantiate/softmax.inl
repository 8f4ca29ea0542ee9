// Softmax, for float and double. See core/config.hpp (TMOR_INSTANTIATE).
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::softmax(const tmor::Tensor<float>&, tmor::Index, const tmor::Tensor<bool>&))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::softmax(const tmor::Tensor<double>&, tmor::Index, const tmor::Tensor<bool>&))
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::log_softmax(const tmor::Tensor<float>&, tmor::Index))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::log_softmax(const tmor::Tensor<double>&, tmor::Index))
