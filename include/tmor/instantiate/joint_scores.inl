// Similarities of joints, for float and double. See core/config.hpp (TMOR_INSTANTIATE).
TMOR_INSTANTIATE(tmor::Tensor<float> tmor::joint_scores(const tmor::Tensor<float>&, const tmor::Tensor<float>&, const tmor::Tensor<float>&, tmor::Index, double))
TMOR_INSTANTIATE(tmor::Tensor<double> tmor::joint_scores(const tmor::Tensor<double>&, const tmor::Tensor<double>&, const tmor::Tensor<double>&, tmor::Index, double))
