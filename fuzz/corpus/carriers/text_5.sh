#!/bin/sh
echo
