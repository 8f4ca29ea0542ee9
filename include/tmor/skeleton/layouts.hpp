#pragma once
/// @file layouts.hpp
/// The data of the built-in joint layouts: for each joint, in the order of the arrays, `name:parent` in
/// canonical joint names (layout.hpp); the root has no parent. Joint names say what a joint is, so maps
/// between layouts need nothing else.

#include <string_view>

#include "tmor/core/config.hpp"

TMOR_BEGIN

namespace detail {

struct BuiltinLayout {
  std::string_view name;
  std::string_view tree;
};

inline constexpr BuiltinLayout kBuiltinLayouts[] = {
    // UNIK's input (Posetics, Smarthome, TSU, Penn Action), its bones as in its feeder.
    {"unik17",
     "head nose:head neck:nose chest:neck pelvis:chest left_shoulder:neck right_shoulder:neck "
     "left_elbow:left_shoulder right_elbow:right_shoulder left_wrist:left_elbow right_wrist:right_elbow "
     "left_hip:pelvis right_hip:pelvis left_knee:left_hip right_knee:right_hip left_ankle:left_knee "
     "right_ankle:right_knee"},
    // LCR-Net, as stored by Toyota Smarthome: from the feet up, right before left.
    {"lcrnet13",
     "right_ankle:right_knee left_ankle:left_knee right_knee:right_hip left_knee:left_hip "
     "right_hip:right_shoulder left_hip:left_shoulder right_wrist:right_elbow left_wrist:left_elbow "
     "right_elbow:right_shoulder left_elbow:left_shoulder right_shoulder:head left_shoulder:head head"},
    // Penn Action's manual annotation.
    {"penn13",
     "head left_shoulder:head right_shoulder:head left_elbow:left_shoulder right_elbow:right_shoulder "
     "left_wrist:left_elbow right_wrist:right_elbow left_hip:left_shoulder right_hip:right_shoulder "
     "left_knee:left_hip right_knee:right_hip left_ankle:left_knee right_ankle:right_knee"},
    // COCO key points: UAV-Human and most 2-D estimators.
    {"coco17",
     "nose left_eye:nose right_eye:nose left_ear:left_eye right_ear:right_eye left_shoulder:nose "
     "right_shoulder:nose left_elbow:left_shoulder right_elbow:right_shoulder left_wrist:left_elbow "
     "right_wrist:right_elbow left_hip:left_shoulder right_hip:right_shoulder left_knee:left_hip "
     "right_knee:right_hip left_ankle:left_knee right_ankle:right_knee"},
    // Human3.6M in the order of VideoPose3D and MotionBERT; its "neck/nose" point is the nose.
    {"h36m17",
     "pelvis right_hip:pelvis right_knee:right_hip right_ankle:right_knee left_hip:pelvis left_knee:left_hip "
     "left_ankle:left_knee chest:pelvis shoulder_center:chest nose:shoulder_center head:nose "
     "left_shoulder:shoulder_center left_elbow:left_shoulder left_wrist:left_elbow "
     "right_shoulder:shoulder_center right_elbow:right_shoulder right_wrist:right_elbow"},
    // OpenPose's COCO model: UAV-GESTURE, Kinetics-Skeleton.
    {"openpose18",
     "nose:neck neck right_shoulder:neck right_elbow:right_shoulder right_wrist:right_elbow "
     "left_shoulder:neck "
     "left_elbow:left_shoulder left_wrist:left_elbow right_hip:right_shoulder right_knee:right_hip "
     "right_ankle:right_knee left_hip:left_shoulder left_knee:left_hip left_ankle:left_knee right_eye:nose "
     "left_eye:nose right_ear:right_eye left_ear:left_eye"},
    // Kinect v1: NW-UCLA, UTKinect.
    {"kinect20",
     "pelvis:chest chest:shoulder_center shoulder_center head:shoulder_center left_shoulder:shoulder_center "
     "left_elbow:left_shoulder left_wrist:left_elbow left_hand:left_wrist right_shoulder:shoulder_center "
     "right_elbow:right_shoulder right_wrist:right_elbow right_hand:right_wrist left_hip:pelvis "
     "left_knee:left_hip left_ankle:left_knee left_foot:left_ankle right_hip:pelvis right_knee:right_hip "
     "right_ankle:right_knee right_foot:right_ankle"},
    // Kinect v2: NTU RGB+D; its bones as commonly used, rooted at the spine between the shoulders.
    {"ntu25",
     "pelvis:chest chest:shoulder_center neck:shoulder_center head:neck left_shoulder:shoulder_center "
     "left_elbow:left_shoulder left_wrist:left_elbow left_hand:left_wrist right_shoulder:shoulder_center "
     "right_elbow:right_shoulder right_wrist:right_elbow right_hand:right_wrist left_hip:pelvis "
     "left_knee:left_hip left_ankle:left_knee left_foot:left_ankle right_hip:pelvis right_knee:right_hip "
     "right_ankle:right_knee right_foot:right_ankle shoulder_center left_hand_tip:left_hand "
     "left_thumb:left_hand right_hand_tip:right_hand right_thumb:right_hand"},
};

}  // namespace detail

TMOR_END
