// Normalisations, for float and double. See core/config.hpp (TMOR_INSTANTIATE).
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::batch_norm(const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, bool, double, double))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::batch_norm(const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, bool, double, double))
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::batch_norm_relu(const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, bool, double, double))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::batch_norm_relu(const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, bool, double, double))
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::layer_norm(const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, double))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::layer_norm(const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, double))
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::l2_normalize(const tmor::Tensor<float>&, double))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::l2_normalize(const tmor::Tensor<double>&, double))
