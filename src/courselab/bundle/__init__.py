"""Bundles: everything that chosen chapters need on a machine like this one, in one file that can be carried to where there is no internet.

manifest  what a bundle is made of and for, and what of it is refused
gather    collecting the parts on this computer
write     writing them into one file
load      checking a bundle, and putting its parts where `lab` looks for them
"""
