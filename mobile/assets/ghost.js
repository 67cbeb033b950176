// Taking a picture over the ghost of an earlier one, so that both show the same view. What is taken goes into the form's own file
// field: without a camera, or without this file, the form picks a file as before.
"use strict";

(() => {
  const open = document.getElementById("guia");
  const stage = document.getElementById("palco");
  if (open === null || stage === null || !navigator.mediaDevices?.getUserMedia) return;
  const video = stage.querySelector("video");
  const ghost = stage.querySelector("img");
  const form = document.querySelector("form[enctype]");
  let stream = null;

  const close = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    stage.hidden = true;
  };

  open.hidden = false;
  open.addEventListener("click", async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
    } catch {
      stage.querySelector("p").hidden = false;
      stage.hidden = false;
      return;
    }
    const view = form.elements.vista.value;
    const earlier = document.querySelector(`#fotos img[data-vista="${CSS.escape(view)}"]`)
      ?? document.querySelector("#fotos img");
    ghost.hidden = earlier === null;
    if (earlier !== null) ghost.src = earlier.src.replace(/\/mini$/, "");
    video.srcObject = stream;
    await video.play();
    stage.hidden = false;
  });
  stage.querySelector("[data-fechar]").addEventListener("click", close);
  stage.querySelector("[data-tirar]").addEventListener("click", () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      const files = new DataTransfer();
      files.items.add(new File([blob], "foto.jpg", { type: "image/jpeg" }));
      form.elements.foto.files = files.files;
      close();
      form.requestSubmit();
    }, "image/jpeg", 0.95);
  });
  window.addEventListener("pagehide", close);
})();
