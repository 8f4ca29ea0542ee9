// Joint mixing, for float and double. See core/config.hpp (TMOR_INSTANTIATE).
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::joint_mix(const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::joint_mix(const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&))
