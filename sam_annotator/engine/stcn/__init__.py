"""STCN: a space-time memory that carries masks of objects through a video.

Paper: Cheng, Tai, Tang, Rethinking Space-Time Networks with Improved Memory Coverage for Efficient Video Object
Segmentation, arXiv 2106.05210. Written here from the paper; the parameters are named as in the published checkpoint.
"""
