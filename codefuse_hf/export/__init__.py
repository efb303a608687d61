"""Models for the device: exported to ONNX Runtime, OpenVINO, ExecuTorch or torch.export, and run from there.

`step_model.py` is what is exported of a Rodimus (the model with its memory as arguments), `exporting.py` writes and checks
folders, `exported_model.py` runs them.
"""
